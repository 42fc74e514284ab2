"""Mapping: labels a second on one core, by the catalogue and by each stage after it."""

from __future__ import annotations

import tempfile
from itertools import count, islice
from pathlib import Path
from time import perf_counter, process_time

from bench.statistics_of import show, verdict
from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings
from llama_mapper.adapters.mapping.neighbour_files import load_calibration
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.cascade.cascade import Cascade, CascadeTerms, StageSlot
from llama_mapper.domain.mapping.cascade.ports import CandidateStage
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.entrypoints.containers.mapping import running_mapping
from llama_mapper.entrypoints.containers.mapping_stages import Neighbourhood, embedding_weights
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings

_KNOWN = [
    ("presidio", "CREDIT_CARD"),
    ("presidio", "EMAIL_ADDRESS"),
    ("openai_moderation", "violence/graphic"),
    ("llama_guard", "S10"),
    ("gitleaks", "aws-access-token"),
    ("perspective", "INSULT"),
    ("presidio", "B-phone-number"),
    ("detoxify", "threat"),
]


_FIRST = ("customer", "employee", "patient", "user", "zorblax", "aws", "client", "harmful", "suspected", "model")
_SECOND = ("email", "token", "insult", "diagnosis", "jailbreak", "violence", "card", "address", "output", "password")


async def run(labels: int = 10_000, rounds: int = 20) -> None:
    """The whole `map_labels` call, answer models included, against building the answer's models alone."""
    queries = tuple(
        LabelQuery(vendor=vendor, label=label, score=0.9)
        for vendor, label in (_KNOWN * (labels // len(_KNOWN) + 1))[:labels]
    )
    request = LabelMappingRequest(labels=queries, frameworks=("soc2", "gdpr"), tenant_id="local")
    with tempfile.TemporaryDirectory() as folder:
        platform = PlatformContainer(settings=Settings.load(data_dir=Path(folder)))
        async with running_mapping(platform) as container:
            service = container.service()
            answer = await service.map_labels(request)
            wall, cpu = perf_counter(), process_time()
            for _ in range(rounds):
                answer = await service.map_labels(request)
            wall, cpu = perf_counter() - wall, process_time() - cpu
            floor = perf_counter()
            for mapped in answer.mappings:
                type(mapped).model_validate(dict(mapped))
            floor = (perf_counter() - floor) / labels
    rate = labels * rounds / cpu
    show(
        "catalogue mapping, 10,000 labels a call, 2 frameworks",
        f"{rate:,.0f} labels/s",
        verdict(rate, 100_000, least=True),
    )
    show(
        "a label, and the floor of validating its answer",
        f"{wall / labels / rounds * 1e6:.2f} µs",
        f"{floor * 1e6:.2f} µs",
    )
    await _stages()


async def _stages() -> None:
    """Labels that nobody knows: each stage alone, then the whole call less its stages. No label is asked twice."""
    settings = Settings.load(data_dir=Path(tempfile.mkdtemp()))
    neighbourhood = Neighbourhood()
    fresh = (f"{first}_{second}_{number}" for number in count() for first in _FIRST for second in _SECOND)
    stages: list[CandidateStage] = [neighbourhood.lexical()]
    embeddings: MiniLmEmbeddings | None = None
    try:
        embeddings = MiniLmEmbeddings(embedding_weights(settings))
    except ConfigurationError as error:
        show("embedding stage", "not measured", error.message)
    else:
        prepared = neighbourhood.embedding(embeddings, None)
        await prepared.prepare()
        stages.append(prepared)
    for stage in stages:
        keys = [LabelKey("acme", None, label) for label in islice(fresh, 200)]
        started = perf_counter()
        rankings = await stage.rank(keys, within_s=600.0)
        seconds = perf_counter() - started
        ranked = sum(bool(ranking.candidates) for ranking in rankings)
        show(f"stage {stage.stage.value}, 200 labels a call", f"{200 / seconds:,.0f} labels/s", f"{ranked} ranked")
    cascade = Cascade(
        [StageSlot(stage) for stage in stages],
        load_calibration(),
        load_catalogue().labels.keys(),
        neighbourhood.known_of,
        terms=CascadeTerms(timeout_s=600.0),
    )
    keys = [LabelKey("acme", None, label) for label in islice(fresh, 200)]
    started = perf_counter()
    found = await cascade.answer(keys)
    seconds = perf_counter() - started
    asked = max(use.seconds for use in found.used)
    show("cascade, 200 labels never seen", f"{200 / seconds:,.0f} labels/s", "")
    show("  beside its stages, a label", f"{(seconds - asked) / 200 * 1e3:.2f} ms", "")
    started = perf_counter()
    await cascade.answer(keys)
    show("the same labels again, rankings remembered", f"{200 / (perf_counter() - started):,.0f} labels/s", "")
    if embeddings is not None:
        await embeddings.close()
