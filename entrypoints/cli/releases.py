"""`llama-mapper releases`: new versions before a part of the traffic, and back."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import signed, user
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llama_mapper.domain.contracts.releases import ArmFigures, Estimate, GateFigure, Release
    from llama_mapper.entrypoints.containers.open_releases import OpenReleases

Result = TypeVar("Result")
Model = TypeVar("Model", bound="BaseModel")

app = typer.Typer(help="Releases of versions: canary and blue-green.")

Plan = Annotated[Path, typer.Argument(help="A plan, YAML or JSON; - for standard input.")]
Id = Annotated[str, typer.Argument(help="The release's id.")]
Person = Annotated[str | None, typer.Option("--as", help="Who does this; default: this machine's user.")]
NoteText = Annotated[str, typer.Option("--note", help="Why, for the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many.")]
Report = Annotated[Path | None, typer.Option("--report", help="Write a page with the intervals over time.")]


@app.callback()
def _group() -> None:
    """The commands about releases."""


@app.command()
def start(plan: Plan, person: Person = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Begin the release that PLAN describes; running servers follow within two seconds."""
    from llama_mapper.domain.contracts.releases import BlueGreenStart, CanaryStart

    document = document_in(plan)
    is_blue_green = document.get("mode") == "blue_green"
    asked = given(BlueGreenStart, document) if is_blue_green else given(CanaryStart, document)
    _tell(run(lambda found: found.releases.start(asked, found.actor), person, data_dir), as_json)


@app.command("list")
def list_releases(limit: Limit = 100, as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the newest releases."""
    found = run(lambda opened: opened.releases.releases(limit=limit), None, data_dir)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    print_table(("release", "kind", "mode", "from", "to", "state", "share", "since"), map(_row, found.items))


@app.command()
def show(id: Id, report: Report = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show a release with what was counted of both versions, its gates, and what it waits for."""
    found = run(lambda opened: opened.releases.release(id), None, data_dir)
    if report is not None:
        series = run(lambda opened: opened.releases.series(id), None, data_dir)
        write_report(report, f"Release {found.id}", _summary(found), found.arms, found.gates, series.items)
    _tell(found, as_json)


@app.command()
def advance(
    id: Id,
    override: Annotated[bool, typer.Option("--override", help="Advance although a gate is failing.")] = False,
    stage: Annotated[
        int | None, typer.Option("--from-stage", min=1, max=20, help="Only if it is at this stage, counted from 1.")
    ] = None,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a canary to its next stage now, or complete it at the last."""
    from llama_mapper.domain.contracts.releases import ReleaseAdvance

    asked = given(ReleaseAdvance, {"note": note, "override": override, "stage": None if stage is None else stage - 1})
    _tell(run(lambda found: found.releases.advance(id, asked, found.actor), person, data_dir), as_json)


@app.command()
def hold(id: Id, person: Person = None, note: NoteText = "", as_json: Json = False, data_dir: DataDir = None) -> None:
    """Keep a canary at its stage; a failing gate still rolls it back."""
    _step(lambda found, asked: found.releases.hold(id, asked, found.actor), note, person, as_json, data_dir)


@app.command()
def resume(id: Id, person: Person = None, note: NoteText = "", as_json: Json = False, data_dir: DataDir = None) -> None:
    """End a hold."""
    _step(lambda found, asked: found.releases.resume(id, asked, found.actor), note, person, as_json, data_dir)


@app.command()
def rollback(
    id: Id, person: Person = None, note: NoteText = "", as_json: Json = False, data_dir: DataDir = None
) -> None:
    """Give all traffic back to the version before, for good."""
    _step(lambda found, asked: found.releases.roll_back(id, asked, found.actor), note, person, as_json, data_dir)


@app.command()
def validate(id: Id, person: Person = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Run the validation suite on a blue-green release's candidate; exit status 1 if it fails."""
    found = run(lambda opened: opened.releases.validate(id, opened.actor), person, data_dir, validates=True)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        for case in found.report.cases:
            print_lines(f"{'passed' if case.passed else 'FAILED'} {case.name}: {case.detail}")
    raise typer.Exit(0 if found.report.passed else 1)


@app.command()
def switch(id: Id, person: Person = None, note: NoteText = "", as_json: Json = False, data_dir: DataDir = None) -> None:
    """Give all traffic to a validated candidate at once."""
    _step(lambda found, asked: found.releases.switch(id, asked, found.actor), note, person, as_json, data_dir)


@app.command("switch-back")
def switch_back(
    id: Id, person: Person = None, note: NoteText = "", as_json: Json = False, data_dir: DataDir = None
) -> None:
    """Give all traffic back to the version before at once; it may be switched again."""
    _step(lambda found, asked: found.releases.switch_back(id, asked, found.actor), note, person, as_json, data_dir)


@app.command()
def complete(
    id: Id, person: Person = None, note: NoteText = "", as_json: Json = False, data_dir: DataDir = None
) -> None:
    """End a switched release; its candidate stays in force."""
    _step(lambda found, asked: found.releases.complete(id, asked, found.actor), note, person, as_json, data_dir)


@app.command()
def history(id: Id, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Print every step of a release or an experiment, oldest first."""
    found = run(lambda opened: opened.releases.history(id), None, data_dir)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    rows = (
        (
            str(event.number),
            event.at.isoformat(timespec="seconds"),
            event.step,
            "" if event.stage is None else str(event.stage + 1),
            signed(event),
            "; ".join(filter(None, ("[overridden]" if event.override else "", event.note, *event.reasons))),
        )
        for event in found.items
    )
    print_table(("step", "at", "what", "stage", "who", "why"), rows)


def run(
    use: Callable[[OpenReleases], Awaitable[Result]],
    person: str | None,
    data_dir: Path | None,
    *,
    validates: bool = False,
) -> Result:
    """What `use` gives on the installation's releases; to validate a version there must be something to try it with."""
    from llama_mapper.entrypoints.containers.open_releases import open_releases
    from llama_mapper.entrypoints.settings import Settings

    async def opened() -> Result:
        async with open_releases(Settings.load(data_dir=data_dir), person or user(), validates=validates) as found:
            return await use(found)

    return asyncio.run(opened())


def document_in(file: Path) -> dict[str, Any]:
    """The YAML or JSON object in a file; raise `INVALID_REQUEST` for anything else."""
    import yaml

    from llama_mapper.domain.kernel.errors import ConfigurationError, ValidationError

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {type(error).__name__}") from error
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValidationError(f"{file} is neither YAML nor JSON") from None
    if not isinstance(document, dict):
        raise ValidationError(f"{file} must hold one object")
    return document


def given(model: type[Model], document: dict[str, Any]) -> Model:
    """The document as `model`, with contract errors in the kernel's words."""
    from pydantic import ValidationError as PydanticError

    from llama_mapper.domain.contracts.refusals import refusal_of
    from llama_mapper.domain.kernel.errors import ValidationError

    try:
        return model.model_validate_json(json.dumps(document))
    except PydanticError as error:
        raise refusal_of(error)[0] from None
    except (TypeError, ValueError):
        raise ValidationError("the plan holds something that JSON has not") from None


def tell_figures(arms: Sequence[ArmFigures], gates: Sequence[GateFigure]) -> None:
    """What was counted, and what follows from it, as two tables."""
    if arms:
        rows = (
            (
                arm.arm,
                arm.version,
                f"{arm.percent:g} %",
                str(arm.requests),
                *(interval(arm.rates[name]) for name in ("schema_valid", "abstained", "errors", "agreement")),
                interval(arm.latency_p95_ms),
            )
            for arm in arms
        )
        head = ("arm", "version", "share", "requests", "schema valid", "abstained", "errors", "agreement", "p95 ms")
        print_table(head, rows)
    if gates:
        rows_of_gates = (
            (
                gate.arm,
                gate.name,
                gate.state,
                interval(gate.effect),
                f"{gate.limit:g}",
                "-" if gate.evidence is None else f"{gate.evidence:.3g}",
            )
            for gate in gates
        )
        print_table(("arm", "what", "state", "effect", "limit", "e-value"), rows_of_gates)


def interval(estimate: Estimate) -> str:
    """`0.91 (0.85 to 0.96)`; a dash where nothing is known."""
    if estimate.value is None:
        return "-"
    low, high = ("?" if end is None else f"{end:.4g}" for end in (estimate.low, estimate.high))
    return f"{estimate.value:.4g} ({low} to {high})"


def write_report(
    file: Path,
    title: str,
    summary: Sequence[tuple[str, str]],
    arms: Sequence[ArmFigures],
    gates: Sequence[GateFigure],
    points: Sequence[Any],
) -> None:
    """Write the page; raise `CONFIGURATION_INVALID` if it cannot be written."""
    from datetime import UTC, datetime

    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.entrypoints.report.releases import render_release

    page = render_release(title, summary, arms, gates, points, datetime.now(UTC))
    try:
        file.write_text(page, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error


def _step(
    take: Callable[..., Awaitable[Release]], note: str, person: str | None, as_json: bool, data_dir: Path | None
) -> None:
    from llama_mapper.domain.contracts.releases import ReleaseNote

    asked = given(ReleaseNote, {"note": note})
    _tell(run(lambda found: take(found, asked), person, data_dir), as_json)


def _tell(release: Release, as_json: bool) -> None:
    if as_json:
        typer.echo(release.model_dump_json())
        return
    for name, text in _summary(release):
        print_lines(f"{name}: {text}")
    tell_figures(release.arms, release.gates)


def _summary(release: Release) -> list[tuple[str, str]]:
    plan = release.plan
    stage = "" if release.stage is None else f", stage {release.stage + 1}"
    return [
        ("release", release.id),
        ("what", f"{plan.kind} {plan.baseline} -> {plan.candidate}, {plan.mode}"),
        ("state", f"{release.state}, {release.percent:g} % of the traffic{stage}"),
        ("started", f"{release.started_at.isoformat(timespec='seconds')} by {release.started_by}"),
        *(("next", text) for text in release.waiting_for),
    ]


def _row(release: Release) -> tuple[str, ...]:
    plan = release.plan
    return (
        release.id,
        plan.kind,
        plan.mode,
        plan.baseline,
        plan.candidate,
        release.state,
        f"{release.percent:g} %",
        release.since.isoformat(timespec="seconds"),
    )
