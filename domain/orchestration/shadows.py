"""Policies that run beside the one that decides: judged on the same answers, reported, never enforced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import OrchestrationOptions, ShadowVerdict
from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.orchestration.fanout import Call
from llama_mapper.domain.orchestration.judging import Judge, call_for
from llama_mapper.domain.orchestration.ports import PolicyBundle, Turn
from llama_mapper.domain.orchestration.routing import Route, Router


class ShadowRun:
    """One request's shadow policies. What is wrong with one of them is told as a step and costs the request nothing."""

    def __init__(self, routes: Sequence[Route], calls: Mapping[str, Call | None]) -> None:
        self._routes = routes
        self._calls = calls

    @classmethod
    async def prepared(
        cls,
        router: Router,
        bundles: Sequence[PolicyBundle],
        tenant_id: str,
        options: OrchestrationOptions,
        route: Route,
        calls: Sequence[Call | None],
        told: list[ProvenanceEntry],
    ) -> ShadowRun:
        """The run of `bundles` beside `route`, whose detectors are asked by `calls`."""
        routes = []
        by_name = {seat.descriptor.name: call for seat, call in zip(route.seats, calls, strict=True)}
        for bundle in bundles:
            try:
                shadow = await router.route(bundle, tenant_id, options)
            except ServiceError as error:
                step = f"shadow:{bundle.applied}"[:128]
                told.append(
                    ProvenanceEntry(
                        stage="orchestration",
                        component=step,
                        version=bundle.version,
                        duration_ms=0.0,
                        detail=f"{error.error_code}: {error.message}"[:512],
                    )
                )
                continue
            routes.append(shadow)
            for seat in shadow.seats:
                if seat.descriptor.name not in by_name:
                    by_name[seat.descriptor.name] = call_for(seat)
        return cls(routes, by_name)

    @property
    def calls(self) -> list[Call]:
        """Everybody to be asked, those of the policy that decides included."""
        return [call for call in self._calls.values() if call is not None and call.fault is None]

    def verdicts(
        self,
        judge: Judge,
        tenant_id: str,
        text: str,
        turns: tuple[Turn, ...],
        catalogue: CatalogueView | None = None,
    ) -> tuple[ShadowVerdict, ...]:
        """What each shadow policy would have said."""
        said = []
        for route in self._routes:
            calls = [self._calls[seat.descriptor.name] for seat in route.seats]
            results, _, undecided = judge.results(tenant_id, text, turns, route, calls, catalogue)
            judgement = judge.judge(route, results, undecided)
            said.append(
                ShadowVerdict(
                    policy_applied=route.decision.policy_applied,
                    policy_digest=route.decision.policy_digest,
                    coverage=judgement.coverage,
                    verdict=judgement.verdict,
                )
            )
        return tuple(said)
