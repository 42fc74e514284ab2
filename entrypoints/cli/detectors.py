"""`llama-mapper detectors`: remote detectors that serve all tenants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.detectors import (
        DetectorDefinition,
        DetectorRegistration,
        DetectorRegistryApi,
        ProbeReport,
    )

app = typer.Typer(help="Remote detectors: defined here or in files, in service in every running server.")

Name = Annotated[str, typer.Argument(help="The detector's name.")]
File = Annotated[Path, typer.Argument(help="A definition, YAML or JSON.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Probe = Annotated[bool, typer.Option(help="Try the detector first, and store nothing if it does not answer.")]

_BY = "command line"
Result = TypeVar("Result")


@app.callback()
def _group() -> None:
    """The commands about detectors."""


@app.command("list")
def list_detectors(as_json: Json = False, data_dir: DataDir = None) -> None:
    """List every detector that a definition makes; in a pipe one a line, separated by tabs."""
    found = _run(data_dir, lambda registry: registry.list())
    if as_json:
        typer.echo("[" + ",".join(each.model_dump_json() for each in found) + "]")
        return
    rows = [
        (
            each.definition.name,
            each.source.value,
            str(each.revision),
            each.definition.protocol.kind,
            f"{each.definition.vendor} {each.definition.vendor_version}",
            each.definition.url,
            "yes" if each.definition.enabled else "no",
        )
        for each in found
    ]
    print_table(("detector", "from", "revision", "protocol", "vendor", "url", "enabled"), rows)


@app.command()
def show(name: Name, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show one detector's definition."""
    found = _run(data_dir, lambda registry: registry.show(name))
    typer.echo(found.model_dump_json() if as_json else found.model_dump_json(indent=2, exclude_none=True))


@app.command()
def register(file: File, probe: Probe = True, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Put the detector that FILE defines into service; running servers follow within two seconds."""
    definition = _definition(file)
    _print(_run(data_dir, lambda registry: registry.register(definition, _BY, probe=probe)), as_json)


@app.command()
def update(file: File, probe: Probe = True, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Replace the definition of the detector that FILE names."""
    definition = _definition(file)
    changed = _run(data_dir, lambda registry: registry.update(definition.name, definition, _BY, probe=probe))
    _print(changed, as_json)


@app.command()
def disable(name: Name, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Take a detector out of service and keep its definition."""
    _print(_run(data_dir, lambda registry: registry.disable(name, _BY)), as_json)


@app.command()
def enable(name: Name, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Put a disabled detector back into service."""
    _print(_run(data_dir, lambda registry: registry.enable(name, _BY)), as_json)


@app.command()
def delete(name: Name, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Take a detector out of service and free its name; its history stays."""
    _print(_run(data_dir, lambda registry: registry.delete(name, _BY)), as_json)


@app.command()
def probe(name: Name, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Try a detector with a sign of life and a harmless fixed text; the exit status is 1 if it fails."""
    report = _run(data_dir, lambda registry: registry.probe(name))
    typer.echo(report.model_dump_json() if as_json else _told(report))
    raise typer.Exit(0 if report.passed else 1)


@app.command()
def history(name: Name, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show every revision of a name that is or was registered, oldest first."""
    found = _run(data_dir, lambda registry: registry.history(name))
    if as_json:
        typer.echo(found.model_dump_json())
        return
    rows = [
        (
            str(each.revision),
            each.change.value,
            each.changed_at.isoformat(timespec="seconds"),
            each.changed_by,
            each.probe.value,
            each.digest[7:19],
            each.definition.url,
        )
        for each in found.items
    ]
    print_table(("revision", "change", "at", "by", "tried", "digest", "url"), rows)


def _run(data_dir: Path | None, use: Callable[[DetectorRegistryApi], Awaitable[Result]]) -> Result:
    from llama_mapper.entrypoints.containers.registry import open_detector_registry
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> Result:
        async with open_detector_registry(Settings.load(data_dir=data_dir)) as registry:
            return await use(registry)

    return asyncio.run(run())


def _definition(file: Path) -> DetectorDefinition:
    from llama_mapper.entrypoints.containers.definitions import definition_in

    return definition_in(file)


def _print(registration: DetectorRegistration, as_json: bool) -> None:
    if as_json:
        typer.echo(registration.model_dump_json())
        return
    detector = registration.detector
    state = "enabled" if detector.definition.enabled else "disabled"
    typer.echo(f"{detector.definition.name} revision {detector.revision} {state} {detector.digest}")
    if registration.probe is not None:
        typer.echo(_told(registration.probe))
    for warning in registration.warnings:
        typer.echo(f"warning: {warning}", err=True)


def _told(report: ProbeReport) -> str:
    if not report.passed:
        return f"failed: {report.fault.message if report.fault else 'no reason'}"
    labels = ", ".join(report.labels) or "nothing"
    unknown = f"; unknown to the catalogue: {', '.join(report.unknown_labels)}" if report.unknown_labels else ""
    return f"alive in {report.alive_ms or 0:.0f} ms, found {labels} in {report.inspection_ms or 0:.0f} ms{unknown}"
