"""Whose word about the mapping holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.domain.contracts.mapping_settings import MappingSettings
from llama_mapper.domain.contracts.mapping_terms import MappingStage, MappingStrategy, MappingTerms, TermSource
from llama_mapper.domain.mapping.settings.terms import ANSWERING, AS_INSTALLED, TenantTerms, effective_terms

FIELDS = {
    "strategy": st.none() | st.sampled_from(MappingStrategy),
    "min_confidence": st.none() | st.floats(0, 1),
    "stage_confidence": st.dictionaries(st.sampled_from(ANSWERING), st.floats(0, 1)),
    "offline": st.none() | st.booleans(),
}
TERMS = st.none() | st.builds(MappingTerms, **FIELDS)
TENANTS = st.none() | st.builds(TenantTerms, st.builds(MappingSettings, **FIELDS), st.integers(1, 9))


@given(TERMS, TERMS, TENANTS, st.sampled_from(MappingStrategy), st.booleans())
def test_the_nearest_that_says_anything_holds_for_each_term_and_is_named(
    request: MappingTerms | None,
    policy: MappingTerms | None,
    tenant: TenantTerms | None,
    usual: MappingStrategy,
    offline: bool,
) -> None:
    found = effective_terms(request, policy, tenant, usual, operator_offline=offline)
    said = {
        TermSource.REQUEST: request,
        TermSource.POLICY: policy,
        TermSource.TENANT: tenant.settings if tenant else None,
    }
    speaking = {source: terms for source, terms in said.items() if terms is not None and not terms.says_nothing}
    if not speaking:
        assert found is AS_INSTALLED
        return
    assert found.applied is not None
    assert found.strategy == next((one.strategy for one in speaking.values() if one.strategy), usual)
    for stage in ANSWERING:
        nearest = [
            (source, one.stage_confidence.get(stage, one.min_confidence))
            for source, one in speaking.items()
            if stage in one.stage_confidence or one.min_confidence is not None
        ]
        if nearest:
            assert (found.applied.thresholds_from[stage], found.thresholds[stage]) == nearest[0]
        else:
            assert stage not in found.thresholds
    assert found.offline or not offline, "an installation that is offline stays so"
    named = found.applied
    assert named.strategy_from is TermSource.OPERATOR or speaking[named.strategy_from].strategy == named.strategy
    assert named.settings_version == (tenant.version if tenant else None)


def test_a_requests_confidence_stands_over_what_a_tenant_says_of_a_stage() -> None:
    tenant = TenantTerms(MappingSettings(stage_confidence={MappingStage.MODEL: 0.9}), 3)
    found = effective_terms(
        MappingTerms(min_confidence=0.2), None, tenant, MappingStrategy.CASCADE, operator_offline=False
    )
    assert found.thresholds[MappingStage.MODEL] == 0.2
