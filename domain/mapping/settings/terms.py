"""Whose word holds about the mapping: the request's, the policy's, the tenant's, the installation's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llama_mapper.domain.contracts.mapping_settings import MappingSettings
from llama_mapper.domain.contracts.mapping_terms import (
    AppliedTerms,
    MappingStage,
    MappingStrategy,
    MappingTerms,
    TermSource,
)

ANSWERING = tuple(stage for stage in MappingStage if stage is not MappingStage.ABSTAINED)


@dataclass(frozen=True, slots=True)
class TenantTerms:
    """A tenant's mapping settings, and which version of its document they are."""

    settings: MappingSettings
    version: int


@dataclass(frozen=True, slots=True)
class EffectiveTerms:
    """What one request is mapped by. None and stages without a threshold mean: as the installation is set."""

    strategy: MappingStrategy | None = None
    thresholds: Mapping[MappingStage, float] = field(default_factory=dict)
    offline: bool = False
    applied: AppliedTerms | None = None
    """What an answer says of it."""

    @property
    def said_strategy(self) -> MappingStrategy | None:
        """The strategy that somebody asked for; None where the installation's holds, or one released in its place."""
        if self.applied is None or self.applied.strategy_from is TermSource.OPERATOR:
            return None
        return self.strategy


AS_INSTALLED = EffectiveTerms()


def effective_terms(
    request: MappingTerms | None,
    policy: MappingTerms | None,
    tenant: TenantTerms | None,
    operator_strategy: MappingStrategy,
    *,
    operator_offline: bool,
) -> EffectiveTerms:
    """The terms of one request.

    For each term the first of request, policy and tenant that says anything holds; what one of them says of a single
    stage stands over its own `min_confidence`, and both over what a later one says. An installation that is offline
    stays so whatever they say.
    """
    said = [
        (source, terms)
        for source, terms in (
            (TermSource.REQUEST, request),
            (TermSource.POLICY, policy),
            (TermSource.TENANT, None if tenant is None else tenant.settings),
        )
        if terms is not None and not terms.says_nothing
    ]
    if not said:
        return AS_INSTALLED
    strategy, strategy_from = next(
        ((terms.strategy, source) for source, terms in said if terms.strategy is not None),
        (operator_strategy, TermSource.OPERATOR),
    )
    offline, offline_from = next(
        ((terms.offline, source) for source, terms in said if terms.offline is not None),
        (operator_offline, TermSource.OPERATOR),
    )
    if operator_offline:
        offline, offline_from = True, TermSource.OPERATOR
    thresholds: dict[MappingStage, float] = {}
    sources: dict[MappingStage, TermSource] = {}
    for source, terms in reversed(said):
        named = terms.stage_confidence
        if terms.min_confidence is not None:
            named = {**dict.fromkeys(ANSWERING, terms.min_confidence), **named}
        thresholds |= named
        sources |= dict.fromkeys(named, source)
    return EffectiveTerms(
        strategy,
        thresholds,
        offline,
        AppliedTerms(
            strategy=strategy,
            strategy_from=strategy_from,
            thresholds={stage: thresholds[stage] for stage in MappingStage if stage in thresholds},
            thresholds_from={stage: sources[stage] for stage in MappingStage if stage in sources},
            offline=offline,
            offline_from=offline_from,
            settings_version=None if tenant is None else tenant.version,
        ),
    )
