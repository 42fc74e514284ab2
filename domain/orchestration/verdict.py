"""What to do with the content: the strongest of what flagged categories, failures and missing coverage ask for.

Monitored detectors and monitored policies decide nothing: what they would do is told beside the verdict.

A detector that the policy calls fail-closed and that did not succeed asks for `block`: the policy refuses to allow
what that detector did not see, and a caller cannot redact what nobody looked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.contracts.orchestration import (
    AggregationSummary,
    CoverageReport,
    DetectorMode,
    DetectorResult,
    DetectorStatus,
    FailureMode,
    Verdict,
    VerdictAction,
    VerdictReason,
)
from llama_mapper.domain.orchestration.model import Plan

_REASONS_LIMIT = 256
_STRENGTH = {action: strength for strength, action in enumerate(VerdictAction)}


def decide(
    plan: Plan,
    policy_applied: str,
    results: Sequence[DetectorResult],
    summary: AggregationSummary,
    coverage: CoverageReport,
) -> Verdict:
    """The verdict with every reason, strongest action first, then highest score; `allow` where there is no reason.

    A plan that is only monitored allows everything, with what it would do and why.
    """
    reasons = _reasons(plan, results, summary, coverage)
    action = reasons[0].action if reasons else VerdictAction.ALLOW
    if plan.enforcement is DetectorMode.MONITOR:
        return Verdict(
            action=VerdictAction.ALLOW,
            would=action if action is not VerdictAction.ALLOW else None,
            reasons=tuple(_unenforced(reason) for reason in reasons),
            policy_applied=policy_applied,
        )
    return Verdict(action=action, reasons=tuple(reasons), policy_applied=policy_applied)


def with_monitored(enforced: Verdict, everything: Verdict) -> Verdict:
    """`enforced`, told what `everything`, monitored detectors included, says besides."""
    known = {(reason.code, reason.subject, reason.action) for reason in enforced.reasons}
    more = [reason for reason in everything.reasons if (reason.code, reason.subject, reason.action) not in known]
    would = everything.would or everything.action
    return enforced.model_copy(
        update={
            "would": would if would is not enforced.action else None,
            "reasons": (*enforced.reasons, *(_unenforced(reason) for reason in more))[:_REASONS_LIMIT],
        }
    )


def _unenforced(reason: VerdictReason) -> VerdictReason:
    return reason.model_copy(update={"enforced": False})


def _reasons(
    plan: Plan, results: Sequence[DetectorResult], summary: AggregationSummary, coverage: CoverageReport
) -> list[VerdictReason]:
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
    return reasons


def _order(reason: VerdictReason) -> tuple[int, float, str, str]:
    return -_STRENGTH[reason.action], -(reason.score or 0.0), reason.code, reason.subject
