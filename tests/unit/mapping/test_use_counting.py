"""What the service counts of its answers, and that nothing of it is a label."""

from __future__ import annotations

from datetime import UTC, datetime

from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery, MappingStage, MappingStrategy
from llama_mapper.domain.mapping.cascade.cascade import Cascade, StageSlot
from llama_mapper.domain.mapping.costs.meter import CostMeter
from llama_mapper.domain.mapping.costs.optimiser import Window, forecasts
from llama_mapper.domain.mapping.costs.uses import Use, UseKind
from llama_mapper.domain.mapping.service import MappingService
from tests.unit.mapping.cascade.stages import ToldStage, plain_calibration
from tests.unit.mapping.costs.ledgers import Ledger
from tests.unit.mapping.review_queue import ListReviewQueue

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CATALOGUE = load_catalogue()
EMAIL, INSULT = "pii.personal_identifiers.email", "content.toxic_language.insult"
LEXICAL, MODEL, ABSTAINED = MappingStage.LEXICAL, MappingStage.MODEL, MappingStage.ABSTAINED


def world() -> tuple[MappingService, CostMeter]:
    early = ToldStage(LEXICAL, {"sure": [(EMAIL, 1.0)], "unsure": [(INSULT, 0.5)], "odd": [(INSULT, 0.3)]})
    late = ToldStage(MODEL, {"unsure": [(INSULT, 1.0)]})
    calibration = plain_calibration((LEXICAL,), (MODEL,), (LEXICAL, MODEL))
    cascade = Cascade((StageSlot(early), StageSlot(late, late=True)), calibration, CATALOGUE.labels.keys())
    meter = CostMeter(Ledger(), lambda: NOON)
    service = MappingService(CATALOGUE, ListReviewQueue(), lambda: NOON, "1", meter=meter, cascade=cascade)
    return service, meter


async def mapped(service: MappingService, *labels: str, strategy: MappingStrategy | None = None) -> None:
    queries = [LabelQuery(vendor="presidio" if label.isupper() else "nobody", label=label) for label in labels]
    await service.map_labels(LabelMappingRequest(labels=tuple(queries), tenant_id="acme", strategy=strategy))


def counted(meter: CostMeter, kind: UseKind) -> dict[tuple[MappingStage, int], int]:
    uses = {key.use: labels for key, labels in meter.waiting_uses("acme").items()}
    return {(use.stage, use.bucket): labels for use, labels in uses.items() if use.kind is kind}


async def test_every_label_is_counted_once_by_who_answered_and_how_sure() -> None:
    service, meter = world()
    await mapped(service, "CREDIT_CARD", "CREDIT_CARD", "sure", "unsure", "odd")
    answered = counted(meter, UseKind.ANSWERED)
    assert sum(answered.values()) == 5
    assert answered[MappingStage.CATALOGUE_EXACT, 99] == 2
    assert answered[LEXICAL, 96] == 1
    assert sum(labels for (stage, _), labels in answered.items() if stage is ABSTAINED) == 1
    assert counted(meter, UseKind.ASKED) == {(LEXICAL, 0): 3, (MODEL, 0): 2}
    assert sum(counted(meter, UseKind.PASSED_ON).values()) == 2, "those that the early stage left to the model"
    await mapped(service, "sure", "unsure")
    assert counted(meter, UseKind.REMEMBERED) == {(LEXICAL, 0): 2, (MODEL, 0): 1}


async def test_an_abstention_counts_with_how_sure_it_would_have_been() -> None:
    service, meter = world()
    await mapped(service, "odd", strategy=MappingStrategy.CASCADE)
    [((stage, bucket), labels)] = counted(meter, UseKind.ANSWERED).items()
    assert (stage, labels) == (ABSTAINED, 1)
    assert bucket == 5, "the model was asked and had no idea, so that the neighbours are believed less"
    await mapped(service, "odd", strategy=MappingStrategy.CATALOGUE_ONLY)
    by_use = {key.use: each for key, each in meter.waiting_uses("acme").items()}
    assert by_use[Use(MappingStrategy.CATALOGUE_ONLY, UseKind.ANSWERED, ABSTAINED, 0)] == 1


async def test_a_lower_threshold_is_forecast_to_spare_the_model_what_it_would_have_spared() -> None:
    service, meter = world()
    await mapped(service, "CREDIT_CARD", "sure", "unsure", "odd")
    window = Window({key.use: labels for key, labels in meter.waiting_uses("acme").items()}, {})
    by_name = {each.name: each for each in forecasts(window)}
    again, _ = world()
    lower = LabelMappingRequest(
        labels=tuple(LabelQuery(vendor="nobody", label=label) for label in ("sure", "unsure", "odd")),
        tenant_id="acme",
        min_confidence=0.3,
    )
    really = await again.map_labels(lower)
    assert [entry.detail.split(": ")[1] for entry in really.provenance] == [
        "3 ranked, 0 remembered",
        "1 ranked, 0 remembered",
    ]
    assert by_name["as_it_was"].model_asked == 2
    assert by_name["cascade@0.60"].model_asked == 2
    assert by_name["cascade@0.30"].model_asked == 1, "the early stage gave 'unsure' more than 0.3"
