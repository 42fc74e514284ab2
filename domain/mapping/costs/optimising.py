"""The use cases of the optimiser: forecasts, and the pipeline that keeps, announces and perhaps applies the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from llama_mapper.domain.contracts.cost_optimisation import (
    RECOMMENDATIONS_TOLD,
    CostOptimisation,
    RecommendationList,
    StageTally,
    StoredRecommendation,
)
from llama_mapper.domain.contracts.costs import DAYS_TOLD
from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.mapping_settings import MappingSettings, MappingSettingsApi, OwnMappingSettings
from llama_mapper.domain.contracts.mapping_terms import MappingStage
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.kernel.clock import Clock
from llama_mapper.domain.kernel.errors import ErrorCode, StoreError, ValidationError
from llama_mapper.domain.mapping.costs.advice import ESTIMATES, advice, changed_settings
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.optimiser import ModelPrice, Window, forecasts
from llama_mapper.domain.mapping.costs.ports import AlertSink, CostLedger
from llama_mapper.domain.mapping.costs.spending import Amount, date_of, day_of, number_of
from llama_mapper.domain.mapping.costs.uses import Use, confidence_of

ROLE = "optimiser"
_CURATOR = Curator(name="optimiser", door=Door.COMMAND, role=ROLE, keyless=False)
_REMEMBERED = 10_000


class CostOptimiser:
    """Keeps `CostOptimiserApi`.

    `every_days` is how often a tenant that maps is looked at whose settings do not say; 0: never.
    """

    def __init__(
        self,
        ledger: CostLedger,
        meter: CostMeter,
        settings: MappingSettingsApi,
        sink: AlertSink,
        clock: Clock,
        models: Sequence[ModelPrice] = (),
        every_days: int = 0,
    ) -> None:
        self._ledger = ledger
        self._meter = meter
        self._settings = settings
        self._sink = sink
        self._clock = clock
        self._models = tuple(models)
        self._every_days = every_days
        self._looked: dict[str, int] = {}

    async def optimisation(
        self, tenant_id: str, since: date, until: date, *, max_loss: float | None = None
    ) -> CostOptimisation:
        """See `CostOptimiserApi.optimisation`."""
        own = await self._settings.get(tenant_id)
        return await self._over(tenant_id, since, until, own.settings or MappingSettings(), max_loss)

    async def run(self, tenant_id: str) -> StoredRecommendation:
        """See `CostOptimiserApi.run`."""
        own = await self._settings.get(tenant_id)
        return await self._kept(tenant_id, own, await self._now(tenant_id, own))

    async def recommendations(self, tenant_id: str) -> RecommendationList:
        """See `CostOptimiserApi.recommendations`."""
        return RecommendationList(items=tuple(await self._ledger.recommendations(tenant_id, RECOMMENDATIONS_TOLD)))

    async def consider(self, tenant_id: str) -> StoredRecommendation | None:
        """Run for a tenant that has just mapped something, if a run is due and there are labels enough to judge by.

        Asks the store once a day and tenant at the most.
        """
        today = day_of(self._clock())
        if self._looked.get(tenant_id) == today:
            return None
        if len(self._looked) >= _REMEMBERED:
            self._looked.clear()
        self._looked[tenant_id] = today
        own = await self._settings.get(tenant_id)
        every = (own.settings or MappingSettings()).optimisation.every_days or self._every_days
        if not every:
            return None
        last = await self._ledger.recommendations(tenant_id, 1)
        if last and today - day_of(last[0].at) < every:
            return None
        found = await self._now(tenant_id, own)
        if found.labels < found.min_labels:
            return None
        try:
            return await self._kept(tenant_id, own, found)
        except StoreError as error:
            if error.error_code is not ErrorCode.CONFLICT:
                raise
            return None  # another process was quicker, or somebody changed the settings just now

    async def _now(self, tenant_id: str, own: OwnMappingSettings) -> CostOptimisation:
        settings = own.settings or MappingSettings()
        until = date_of(day_of(self._clock()))
        since = until - timedelta(days=settings.optimisation.window_days - 1)
        left = await self._loss_left(tenant_id, settings) if settings.optimisation.apply else None
        return await self._over(tenant_id, since, until, settings, left)

    async def _over(
        self, tenant_id: str, since: date, until: date, settings: MappingSettings, max_loss: float | None
    ) -> CostOptimisation:
        first, last = number_of(since), number_of(until)
        if not 0 <= last - first < DAYS_TOLD:
            raise ValidationError(f"name a span of 1 to {DAYS_TOLD} days, the first day first")
        window = await self._window(tenant_id, first, last)
        terms = settings.optimisation
        max_loss = terms.max_loss if max_loss is None else max_loss
        found = forecasts(window, self._models)
        return CostOptimisation(
            tenant_id=tenant_id,
            since=since,
            until=until,
            labels=window.labels,
            unknown_labels=window.unknown,
            cost=window.cost,
            max_loss=max_loss,
            min_labels=terms.min_labels,
            stages=_tallies(window),
            forecasts=found,
            recommendation=advice(
                found, labels=window.labels, cost=window.cost, max_loss=max_loss, min_labels=terms.min_labels
            ),
            estimates=ESTIMATES,
        )

    async def _kept(self, tenant_id: str, own: OwnMappingSettings, found: CostOptimisation) -> StoredRecommendation:
        told = StoredRecommendation(
            at=self._clock(),
            since=found.since,
            until=found.until,
            labels=found.labels,
            cost=found.cost,
            recommendation=found.recommendation,
        )
        if not await self._ledger.recommend(tenant_id, told):
            raise StoreError("the optimiser ran today already", ErrorCode.CONFLICT, retryable=False)
        settings = own.settings or MappingSettings()
        if found.recommendation.change and settings.optimisation.apply:
            expected = 0 if own.version is None else own.version.number
            changed = changed_settings(settings, found.recommendation)
            note = found.recommendation.reason
            put = await self._settings.put(tenant_id, changed, _CURATOR, expected=expected, note=note)
            told = told.model_copy(update={"applied_version": None if put.version is None else put.version.number})
            await self._ledger.applied(tenant_id, told)
        self._sink.recommend(tenant_id, told)
        return told

    async def _loss_left(self, tenant_id: str, settings: MappingSettings) -> float:
        """What of the tenant's `max_loss` is not used up since a person last changed the settings.

        Every run compares with its own window; without this, one small loss after another could be applied for ever.
        """
        decided = await self._decided_at(tenant_id)
        used = sum(
            max(0.0, told.recommendation.loss)
            for told in await self._ledger.recommendations(tenant_id, RECOMMENDATIONS_TOLD)
            if told.applied_version is not None and told.at >= decided
        )
        return max(0.0, settings.optimisation.max_loss - used)

    async def _decided_at(self, tenant_id: str) -> datetime:
        history = await self._settings.history(tenant_id)
        return next((each.at for each in history.items if each.role != ROLE), history.items[-1].at)

    async def _window(self, tenant_id: str, first: int, last: int) -> Window:
        uses: dict[Use, int] = {}
        for part in (await self._ledger.uses(tenant_id, first, last), self._meter.waiting_uses(tenant_id)):
            for used, labels in part.items():
                if first <= used.day <= last:
                    uses[used.use] = uses.get(used.use, 0) + labels
        spending: dict[str, Amount] = {}
        for amounts in (await self._ledger.spending(tenant_id, first, last), self._meter.waiting(tenant_id)):
            for key, amount in amounts.items():
                if first <= key.day <= last:
                    spending[key.source] = spending.get(key.source, Amount()) + amount
        return Window(uses, spending)


def _tallies(window: Window) -> tuple[StageTally, ...]:
    labels: dict[MappingStage, int] = {}
    sums: dict[MappingStage, float] = {}
    for use, number in window.answered():
        labels[use.stage] = labels.get(use.stage, 0) + number
        confidence = 0.0 if use.stage is MappingStage.ABSTAINED and not use.bucket else confidence_of(use.bucket)
        sums[use.stage] = sums.get(use.stage, 0.0) + number * confidence
    return tuple(
        StageTally(stage=stage, labels=labels[stage], mean_confidence=round(sums[stage] / labels[stage], 4))
        for stage in MappingStage
        if stage in labels
    )
