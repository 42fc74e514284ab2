"""`llama-mapper assess`: files and standard input through the whole chain."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_mapper.domain.contracts.mapping import OutputFormat
from llama_mapper.domain.contracts.orchestration import ContentType, ProcessingMode, VerdictAction
from llama_mapper.entrypoints.cli.input_formats import InputFormat
from llama_mapper.entrypoints.cli.options import DataDir

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.assessment import AssessmentRecord
    from llama_mapper.entrypoints.cli.inputs import Input, InputFault, InputItem
    from llama_mapper.entrypoints.embedded import LlamaMapper

_FAULTS = 1
_AT_LEAST = 3
_STRICTNESS = [action.value for action in VerdictAction]


def assess(
    files: Annotated[list[str], typer.Argument(help="JSONL, CSV or text files; - for standard input.")],
    framework: Annotated[
        list[str] | None, typer.Option(help="Framework to answer for, as ID or ID:EDITION; may be repeated.")
    ] = None,
    format: Annotated[InputFormat | None, typer.Option(help="Of all files; default: by each file's extension.")] = None,
    column: Annotated[str | None, typer.Option(help="CSV column with the content.")] = None,
    policy: Annotated[str, typer.Option(help="Policy bundle.")] = "default",
    content_type: Annotated[ContentType, typer.Option(help="What the items are, where they do not say.")] = (
        ContentType.TEXT
    ),
    mode: Annotated[ProcessingMode, typer.Option(help="How long each item may take.")] = ProcessingMode.LOW,
    as_json: Annotated[bool, typer.Option("--json", help="Print each record as a line of JSON.")] = False,
    output_format: Annotated[OutputFormat, typer.Option(help="How much of the mapping to give.")] = (
        OutputFormat.FULL_RECORD
    ),
    report: Annotated[Path | None, typer.Option(help="Write a self-contained HTML report to this file.")] = None,
    title: Annotated[str, typer.Option(help="Title of the report.")] = "Assessment report",
    fail_on: Annotated[
        VerdictAction | None, typer.Option(help="Exit with status 3 if a verdict is this or stricter.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Items in the chain at one time.")] = 4,
    tenant: Annotated[str, typer.Option(help="Whose records these are.")] = "local",
    data_dir: DataDir = None,
) -> None:
    """Assess every item of FILES and keep the records, without the content.

    A broken line is named by its number on standard error and the rest goes on; the exit status is then 1.
    """
    from llama_mapper.entrypoints.cli.input_items import RequestDefaults
    from llama_mapper.entrypoints.cli.inputs import InputOptions, read_inputs, total_bytes
    from llama_mapper.entrypoints.containers.commands import start_logging
    from llama_mapper.entrypoints.settings import Settings

    settings = Settings.load(data_dir=data_dir)
    start_logging(settings)
    inputs = read_inputs(
        files,
        sys.stdin.buffer,
        InputOptions(format=format, column=column, content_characters=settings.content_limit),
        RequestDefaults(
            tenant_id=tenant,
            policy_bundle=policy,
            processing_mode=mode,
            content_type=content_type,
            frameworks=tuple(framework or ()),
            output_format=output_format,
        ),
    )
    run = _Run(as_json=as_json, report=report, title=title)
    asyncio.run(run.through(inputs, total_bytes(files), jobs, {"tenant_id": tenant, "data_dir": data_dir}))
    run.finish()
    if fail_on is not None and any(run.verdicts[action] for action in _STRICTNESS[_STRICTNESS.index(fail_on) :]):
        raise typer.Exit(_AT_LEAST)
    raise typer.Exit(_FAULTS if run.faults else 0)


class _Run:
    """One run of the command: takes outcomes in the order of the items and shows them."""

    def __init__(self, *, as_json: bool, report: Path | None, title: str) -> None:
        from collections import Counter

        from llama_mapper.entrypoints.report.data import ReportData

        self.faults = 0
        self.verdicts: Counter[str] = Counter()
        self._as_json = as_json
        self._report = report
        self._title = title
        self._data = ReportData()
        self._only: AssessmentRecord | None = None

    async def through(self, inputs: Iterator[Input], total: int | None, jobs: int, options: dict[str, Any]) -> None:
        """Assess all inputs, at most `jobs` at a time, with a progress bar on standard error."""
        from llama_mapper.entrypoints.cli.progress import progress_bar
        from llama_mapper.entrypoints.embedded import LlamaMapper

        with progress_bar(total) as advance:
            advance(0, "loading the detectors")
            async with LlamaMapper.open(**options) as mapper:
                async for item, outcome in _in_order(inputs, jobs, mapper):
                    self._take(item, outcome)
                    advance(item.bytes_read, f"{self._data.summary.assessments} assessed, {self.faults} faults")

    def _take(self, item: Input, outcome: AssessmentRecord | InputFault) -> None:
        from llama_mapper.entrypoints.cli.inputs import InputFault

        if isinstance(outcome, InputFault):
            self.faults += 1
            self._data.summary.add_fault(outcome.code.value)
            where = f"{outcome.source}:{outcome.number}" if outcome.number else outcome.source
            sys.stderr.write(f"{where}: {outcome.code.value}: {outcome.message}\n")
            return
        assessment = outcome.assessment
        self.verdicts[assessment.verdict.action.value] += 1
        self._data.add(assessment, getattr(item, "id", ""))
        self._only = outcome if self._data.summary.assessments == 1 else None
        if self._as_json:
            sys.stdout.write(outcome.body.decode() + "\n")

    def finish(self) -> None:
        """Write the report and the summary."""
        from llama_mapper.domain.kernel.clock import system_clock
        from llama_mapper.domain.kernel.errors import ConfigurationError
        from llama_mapper.entrypoints.cli.summary import print_assessment, print_summary
        from llama_mapper.entrypoints.report.render import render_report

        if self._report is not None:
            page = render_report(self._data, self._title, system_clock())
            try:
                self._report.write_text(page, encoding="utf-8")
            except OSError as error:
                raise ConfigurationError(f"cannot write {self._report}: {error.strerror}") from error
        if self._as_json:
            return
        if self._only is not None and not self.faults:
            print_assessment(self._only.assessment)
        else:
            print_summary(self._data.summary)


async def _in_order(
    inputs: Iterator[Input], jobs: int, mapper: LlamaMapper
) -> AsyncIterator[tuple[Input, AssessmentRecord | InputFault]]:
    """Each input with its outcome, in order; while one is awaited the next ones are under way."""
    from llama_mapper.entrypoints.cli.inputs import InputFault

    waiting: deque[tuple[Input, asyncio.Future[AssessmentRecord | InputFault]]] = deque()
    for item in inputs:
        if isinstance(item, InputFault):
            done: asyncio.Future[AssessmentRecord | InputFault] = asyncio.get_running_loop().create_future()
            done.set_result(item)
            waiting.append((item, done))
        else:
            waiting.append((item, asyncio.ensure_future(_assessed(item, mapper))))
        if len(waiting) >= jobs:
            first, outcome = waiting.popleft()
            yield first, await outcome
    while waiting:
        first, outcome = waiting.popleft()
        yield first, await outcome


async def _assessed(item: InputItem, mapper: LlamaMapper) -> AssessmentRecord | InputFault:
    from llama_mapper.domain.kernel.errors import ServiceError
    from llama_mapper.entrypoints.cli.inputs import InputFault

    try:
        return await mapper.assess_request(item.request)
    except ServiceError as error:
        return InputFault(item.source, item.number, error.error_code, error.message, item.bytes_read)
