"""`llama-mapper map`: vendors' labels to canonical labels and controls."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from llama_mapper.entrypoints.cli.options import DataDir

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.mapping import MappedLabel, MappingApi, MappingExtra, MappingStrategy
    from llama_mapper.entrypoints.cli.label_outputs import LabelOutput

_BATCH = 1_000
_BATCH_TO_FILE = 10_000
_LOADING_S = 120.0


def map_labels(
    file: Annotated[
        str,
        typer.Argument(
            help="JSONL of {vendor, vendor_version?, label, score?}, or CSV or Parquet with these columns; "
            "- for JSONL on standard input."
        ),
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
    rationale: Annotated[
        bool, typer.Option("--rationale", help="Say why with each answer; never a part of the label.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing that is outside this process.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="A JSONL file, or a folder NAME.parquet, to write to; default: JSONL on standard output."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with an output that was begun and not finished.")] = False,
    tenant: Annotated[str, typer.Option(help="Whose review queue takes the labels that nobody knows.")] = "local",
    data_dir: DataDir = None,
) -> None:
    """Map the labels in FILE. A broken line is named by its number and the rest goes on; the exit status is then 1."""
    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.entrypoints.cli.label_sources import kind_of

    terms: dict[str, Any] = {"frameworks": tuple(framework or ()), "min_confidence": min_confidence}
    if strategy is not None:
        terms["strategy"] = _strategy(strategy)
    if rationale:
        terms["include"] = ("rationale",)
    size = 0 if file == "-" else Path(file).stat().st_size if Path(file).is_file() else 0
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as source:
            sink = _output(output, file, size, terms, resume)
            asked = {**terms, "tenant_id": tenant, "include": _extras(rationale)}
            faults = asyncio.run(_run(source, kind_of(file), size, sink, asked, data_dir, offline=offline))
    except OSError as error:
        raise ConfigurationError(f"cannot use {error.filename or file}: {error.strerror}") from error
    raise typer.Exit(1 if faults else 0)


def _extras(rationale: bool) -> tuple[MappingExtra, ...]:
    from llama_mapper.domain.contracts.mapping import MappingExtra

    return (MappingExtra.RATIONALE,) if rationale else ()


def _strategy(name: str) -> MappingStrategy:
    from llama_mapper.domain.contracts.mapping import MappingStrategy
    from llama_mapper.domain.kernel.errors import ValidationError

    try:
        return MappingStrategy(name)
    except ValueError:
        raise ValidationError(f"a strategy is one of {', '.join(MappingStrategy)}") from None


def _output(path: Path | None, file: str, size: int, terms: dict[str, Any], resume: bool) -> LabelOutput:
    from llama_mapper.entrypoints.cli.label_outputs import LabelFile, LabelParts, PrintedLabels, Work
    from llama_mapper.entrypoints.cli.label_sources import kind_of

    if path is None:
        return PrintedLabels()
    work = Work(file, size, terms)
    return (LabelParts if kind_of(path.name) == "parquet" else LabelFile)(path, work, resume=resume)


async def _run(
    source: BinaryIO,
    kind: str,
    size: int,
    sink: LabelOutput,
    terms: dict[str, Any],
    data_dir: object,
    *,
    offline: bool,
) -> int:
    from llama_mapper.domain.contracts.mapping import LabelMappingRequest
    from llama_mapper.entrypoints.cli.label_outputs import PrintedLabels
    from llama_mapper.entrypoints.cli.label_sources import label_batches
    from llama_mapper.entrypoints.cli.progress import progress_bar

    faults = 0
    to_file = not isinstance(sink, PrintedLabels)
    with progress_bar(size or None) as advance:
        async with _mapping(data_dir, offline=offline) as mapping:
            gc.freeze()  # what is there now stays: no use in looking at it again for every thousand answers
            for batch in label_batches(source, kind, _BATCH_TO_FILE if to_file else _BATCH, sink.read):
                for number, fault in batch.faults:
                    faults += 1
                    sys.stderr.write(f"line {number}: {fault}\n")
                mappings: tuple[MappedLabel, ...] = ()
                if batch.queries:
                    labels = tuple(query for _, query in batch.queries)
                    asked = LabelMappingRequest(labels=labels, **terms)
                    mappings = (await mapping.map_labels(asked)).mappings
                sink.write(mappings, batch.read)
                if to_file:
                    advance(source.tell(), f"{batch.read:,} labels")
    sink.finish()
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
        await container.watch().wait(_LOADING_S)
        yield container.service()
