"""Labels that order an answer, put to a real small model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from llama_mapper.adapters.mapping.generation.gguf_generation import GgufGeneration, GgufModel
from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
from llama_mapper.domain.mapping.cascade.ports import Candidate, Ranking
from llama_mapper.domain.mapping.generation.definitions import definitions_of
from llama_mapper.domain.mapping.generation.label_stage import LabelModelStage
from llama_mapper.domain.mapping.labels import LabelKey
from tests.support.hostile_labels import HOSTILE_LABELS, ORDERING_LABELS, TARGET

OTHER = "pii.health_records"
OPTIONS = (TARGET, OTHER, "pii.demographic", "pii.personal_identifiers")


def hints(first: int) -> Ranking:
    """The options, another one first: small models like the first best."""
    return Ranking(tuple(Candidate(each, 1.0) for each in (*OPTIONS[first:], *OPTIONS[:first])))


@asynccontextmanager
async def asking(path: Path) -> AsyncIterator[LabelModelStage]:
    generation = GgufGeneration(GgufModel(path, parallel=1, context=2048))
    try:
        yield LabelModelStage(generation, definitions_of(load_raw_catalogue().taxonomy), OPTIONS)
    finally:
        await generation.close()


async def test_an_order_in_a_label_does_not_make_the_ordered_answer_likelier(smollm2_gguf: Path) -> None:
    """The same orders, once for one option and once for another: how often each leads to the first of the two."""
    cases = [(order, place, wanted) for order in ORDERING_LABELS[:4] for place in range(4) for wanted in OPTIONS[:2]]
    keys = [LabelKey(f"vendor{place}", None, order.replace(TARGET, wanted)) for order, place, wanted in cases]
    async with asking(smollm2_gguf) as stage:
        rankings = await stage.rank(keys, within_s=900, hints=[hints(place) for _, place, _ in cases])
    assert [ranking.fault for ranking in rankings] == [None] * len(cases)
    given = dict.fromkeys(OPTIONS[:2], 0)
    for (_, _, wanted), ranking in zip(cases, rankings, strict=True):
        given[wanted] += bool(ranking.candidates) and ranking.candidates[0].canonical == TARGET
    print(f"{TARGET} of {len(cases) // 2}: {given[TARGET]} where ordered, {given[OTHER]} where another is ordered")
    assert given[TARGET] - given[OTHER] <= 0.3 * len(cases) / 2


async def test_no_hostile_label_leads_off_its_options(smollm2_gguf: Path) -> None:
    keys = [LabelKey("acme", None, label) for label in HOSTILE_LABELS[8::2]]
    async with asking(smollm2_gguf) as stage:
        rankings = await stage.rank(keys, within_s=900, hints=[hints(0)] * len(keys))
    for key, ranking in zip(keys, rankings, strict=True):
        assert ranking.fault is None
        assert {each.canonical for each in ranking.candidates} <= set(OPTIONS)
        assert len(key.label) < 8 or key.label not in repr(ranking)
