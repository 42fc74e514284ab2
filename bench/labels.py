"""Catalogue mapping: labels a second on one core."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter, process_time

from bench.statistics_of import show, verdict
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery
from llama_mapper.entrypoints.containers.mapping import running_mapping
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


async def run(count: int = 10_000, rounds: int = 20) -> None:
    """The whole `map_labels` call, answer models included, against building the answer's models alone."""
    queries = tuple(
        LabelQuery(vendor=vendor, label=label, score=0.9)
        for vendor, label in (_KNOWN * (count // len(_KNOWN) + 1))[:count]
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
            floor = (perf_counter() - floor) / count
    rate = count * rounds / cpu
    show(
        "catalogue mapping, 10,000 labels a call, 2 frameworks",
        f"{rate:,.0f} labels/s",
        verdict(rate, 100_000, least=True),
    )
    show(
        "a label, and the floor of validating its answer",
        f"{wall / count / rounds * 1e6:.2f} µs",
        f"{floor * 1e6:.2f} µs",
    )
