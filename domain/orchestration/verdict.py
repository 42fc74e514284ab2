"""What to do with the content: the strongest of what flagged categories, failures and missing coverage ask for.

A detector that the policy calls fail-closed and that did not succeed asks for `block`: the policy refuses to allow
what that detector did not see, and a caller cannot redact what nobody looked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.contracts.orchestration import (
    AggregationSummary,
    CoverageReport,
    DetectorResult,
    DetectorStatus,
    FailureMode,
    Verdict,
    VerdictAction,
    VerdictReason,
)
from llama_mapper.domain.orchestration.model import Plan

_STRENGTH = {action: strength for strength, action in enumerate(VerdictAction)}


def decide(
    plan: Plan,
    policy_applied: str,
    results: Sequence[DetectorResult],
    summary: AggregationSummary,
    coverage: CoverageReport,
) -> Verdict:
    """The verdict with every reason, strongest action first, then highest score; `allow` where there is no reason."""
    reasons: list[VerdictReason] = []
    for outcome in summary.categories:
        if outcome.flagged:
            spoken = [rule for rule in plan.actions.of(outcome.category) if rule.threshold <= outcome.score]
            rule = max(spoken, key=lambda rule: (_STRENGTH[rule.action], rule.threshold))
            reasons.append(
                VerdictReason(
                    action=rule.action,
                    code="category_flagged",
                    subject=outcome.category,
                    score=outcome.score,
                    threshold=rule.threshold,
                    message=f"{outcome.category} at {outcome.score:.2f} reaches {rule.threshold:.2f}",
                )
            )
    reasons.extend(
        VerdictReason(
            action=VerdictAction.BLOCK,
            code="detector_failed_closed",
            subject=result.detector,
            message=f"the policy requires an answer and the status is {result.status}",
        )
        for result in results
        if result.status is not DetectorStatus.SUCCESS
        and plan.terms[result.detector].failure_mode is FailureMode.CLOSED
    )
    if not coverage.sufficient:
        reasons.append(
            VerdictReason(
                action=plan.coverage.on_insufficient,
                code="coverage_insufficient",
                subject="coverage",
                score=coverage.achieved,
                threshold=coverage.threshold,
                message=f"coverage of {coverage.achieved:.2f} is below {coverage.threshold:.2f}",
            )
        )
    reasons.sort(key=_order)
    action = reasons[0].action if reasons else VerdictAction.ALLOW
    return Verdict(action=action, reasons=tuple(reasons), policy_applied=policy_applied)


def _order(reason: VerdictReason) -> tuple[int, float, str, str]:
    return -_STRENGTH[reason.action], -(reason.score or 0.0), reason.code, reason.subject
