"""Which versions releases need: pure."""

from __future__ import annotations

from llama_mapper.domain.contracts.releases import BlueGreenStart, CanaryStart, VariantKind
from llama_mapper.domain.mapping.releases.events import plan_of
from llama_mapper.domain.mapping.releases.ports import Standing


def versions_in_play(standing: Standing, kind: VariantKind) -> frozenset[str]:
    """The version of a kind in force, and all arms of what is under way: each may be asked, or rolled back to."""
    plans = [plan for log in standing.live if (plan := plan_of(log)).kind is kind]
    settled = standing.settled.get(kind)
    found = set() if settled is None else {settled}
    for plan in plans:
        found.add(plan.baseline)
        if isinstance(plan, CanaryStart | BlueGreenStart):
            found.add(plan.candidate)
        else:
            found.update(each.version for each in plan.treatments)
    return frozenset(found)
