"""`llama-mapper policies lint`, `migrate` and `simulate`: looking at a bundle before it decides anything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.policy_simulation import PolicySimulation

Tenant = Annotated[str, typer.Option(help="Whose policy, and whose records.")]
Folder = Annotated[Path, typer.Argument(help="Folder with bundle.json, *.rego and data.json.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_PROBLEMS = 1


def lint(folder: Folder, tenant: Tenant = "local", as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Run the tests of the bundle in FOLDER and tell all that is wrong with it; exit status 1 if that is an error.

    It is held against the detectors that this installation had in service last; before its first start, against none.
    """
    from dataclasses import asdict

    from llama_mapper.entrypoints.containers.policy_tools import lint_folder
    from llama_mapper.entrypoints.settings import Settings

    report = asyncio.run(lint_folder(folder, tenant, Settings.load(data_dir=data_dir)))
    if as_json:
        typer.echo(json.dumps({"valid": report.valid, **asdict(report)}))
    else:
        for test in report.tests:
            typer.echo(f"{'passed' if test.passed else 'FAILED'} {test.name}")
        for problem in report.problems:
            where = f"{problem.path}: " if problem.path else ""
            typer.echo(f"{problem.severity}: {problem.code}: {where}{problem.message}")
        typer.echo("the bundle is valid" if report.valid else "the bundle is not valid")
    raise typer.Exit(0 if report.valid else _PROBLEMS)


def migrate(
    folder: Folder,
    output: Annotated[Path | None, typer.Option(help="Folder to write; default: FOLDER-migrated beside it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the bundle in FOLDER in the current schema, to another folder, and tell what was changed."""
    from llama_mapper.entrypoints.containers.policy_tools import migrate_folder

    target = output or folder.absolute().with_name(f"{folder.absolute().name}-migrated")
    migrated = migrate_folder(folder, target)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "from_schema": migrated.from_schema,
                    "to_schema": migrated.to_schema,
                    "changes": list(migrated.changes),
                    "output": str(target),
                }
            )
        )
        return
    for change in migrated.changes or ("nothing to change",):
        typer.echo(change)
    typer.echo(f"schema {migrated.from_schema} → {migrated.to_schema}: {target}")


def simulate(
    candidate: Annotated[str, typer.Argument(help="Folder of a bundle, or NAME@VERSION of one that is known here.")],
    tenant: Tenant = "local",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest records.")] = 1_000,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Tell what the policy CANDIDATE would have decided of the tenant's newest records."""
    from llama_mapper.entrypoints.cli.progress import progress_bar
    from llama_mapper.entrypoints.containers.policy_simulation import open_simulator
    from llama_mapper.entrypoints.containers.policy_tools import read_bundle
    from llama_mapper.entrypoints.settings import Settings

    in_folder = read_bundle(Path(candidate)) if Path(candidate).is_dir() else None

    async def run() -> PolicySimulation:
        async with open_simulator(Settings.load(data_dir=data_dir)) as simulator:
            name, _, version = candidate.partition("@")
            bundle = in_folder or await simulator.find(tenant, name, version)
            with progress_bar(limit) as advance:
                return await simulator.simulate(tenant, bundle, limit, lambda done: advance(done, f"{done} records"))

    report = asyncio.run(run())
    if as_json:
        typer.echo(report.model_dump_json())
    else:
        _print(report)


def _print(report: PolicySimulation) -> None:
    typer.echo(f"{report.policy_applied} against the newest {report.records} records:")
    typer.echo(f"  {report.judged} judged, {report.unknown} unknown, {report.unreadable} unreadable")
    typer.echo(f"  {report.unchanged} verdicts unchanged")
    for change in report.changes:
        typer.echo(f"  {change.count} {change.before} → {change.after}, such as {', '.join(change.samples[:3])}")
    typer.echo(f"  coverage sufficient: {report.sufficient_before} before, {report.sufficient_after} after")
    for missing in report.missing_detectors:
        typer.echo(f"  {missing.detector} took no part in {missing.records} records")
    typer.echo("  records tell no mode, categories asked for or metadata: each was simulated without")
