"""`llama-mapper map`: vendors' labels to canonical labels and controls, one JSON answer a line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from llama_mapper.entrypoints.cli.options import DataDir

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.mapping import LabelQuery, MappedLabel, MappingApi, MappingStrategy

_BATCH = 1_000
_LINE_LIMIT = 65_536
_LOADING_S = 120.0


def map_labels(
    file: Annotated[
        str, typer.Argument(help="JSONL of {vendor, vendor_version?, label, score?}; - for standard input.")
    ],
    framework: Annotated[
        list[str] | None, typer.Option(help="Framework whose controls to name, as ID or ID:EDITION; may be repeated.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="cascade, model-first or catalogue-only; default: as the settings say.")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Answers with less confidence abstain.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing that is outside this process.")] = False,
    tenant: Annotated[str, typer.Option(help="Whose review queue takes the labels that nobody knows.")] = "local",
    data_dir: DataDir = None,
) -> None:
    """Map the labels in FILE. A broken line is named by its number and the rest goes on; the exit status is then 1."""
    from llama_mapper.domain.kernel.errors import ConfigurationError

    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as source:
            terms = {"frameworks": tuple(framework or ()), "min_confidence": min_confidence, "tenant_id": tenant}
            if strategy is not None:
                terms["strategy"] = _strategy(strategy)
            faults = asyncio.run(_run(source, terms, data_dir, offline=offline))
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    raise typer.Exit(1 if faults else 0)


def _strategy(name: str) -> MappingStrategy:
    from llama_mapper.domain.contracts.mapping import MappingStrategy
    from llama_mapper.domain.kernel.errors import ValidationError

    try:
        return MappingStrategy(name)
    except ValueError:
        raise ValidationError(f"a strategy is one of {', '.join(MappingStrategy)}") from None


async def _run(source: BinaryIO, terms: Mapping[str, Any], data_dir: object, *, offline: bool) -> int:
    from llama_mapper.domain.contracts.mapping import LabelMappingRequest

    faults = 0
    rows = _rows(source)
    async with _mapping(data_dir, offline=offline) as mapping:
        while batch := list(islice(rows, _BATCH)):
            queries: list[LabelQuery] = []
            for number, row in batch:
                if isinstance(row, str):
                    faults += 1
                    sys.stderr.write(f"line {number}: {row}\n")
                else:
                    queries.append(row)
            if queries:
                request = LabelMappingRequest(labels=tuple(queries), **terms)
                _write((await mapping.map_labels(request)).mappings)
    return faults


@asynccontextmanager
async def _mapping(data_dir: object, *, offline: bool) -> AsyncIterator[MappingApi]:
    from llama_mapper.entrypoints.containers.mapping import running_mapping
    from llama_mapper.entrypoints.containers.platform import PlatformContainer
    from llama_mapper.entrypoints.settings import Settings

    settings = Settings.load(data_dir=data_dir, mapping_offline=offline or None)
    async with running_mapping(PlatformContainer(settings=settings)) as container:
        # What loads in the background at a server's start is waited for here: a command runs but once.
        await container.stages().wait(_LOADING_S)
        yield container.service()


def _rows(source: Iterable[bytes]) -> Iterator[tuple[int, LabelQuery | str]]:
    """Each line that is not blank, by number: the query, or what is wrong with the line."""
    from pydantic import ValidationError as PydanticError

    from llama_mapper.domain.contracts.mapping import LabelQuery
    from llama_mapper.domain.contracts.refusals import refusal_of

    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        if len(line) > _LINE_LIMIT:
            yield number, f"CONTENT_TOO_LARGE: a line is at most {_LINE_LIMIT} bytes"
            continue
        try:
            yield number, LabelQuery.model_validate_json(line)
        except PydanticError as error:
            refusal, _ = refusal_of(error)
            yield number, f"{refusal.error_code.value}: {refusal.message}"


def _write(mappings: Iterable[MappedLabel]) -> None:
    for mapped in mappings:
        sys.stdout.write(mapped.model_dump_json() + "\n")
