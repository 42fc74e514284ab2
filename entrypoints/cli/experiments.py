"""`llama-mapper experiments`: versions compared on real traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_lines, print_table
from llama_mapper.entrypoints.cli.releases import (
    Id,
    Json,
    Limit,
    NoteText,
    Person,
    Plan,
    Report,
    document_in,
    given,
    run,
    tell_figures,
    write_report,
)

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.releases import Experiment

app = typer.Typer(help="Experiments with versions: A/B and shadow, valid however often one looks.")


@app.callback()
def _group() -> None:
    """The commands about experiments."""


@app.command()
def create(plan: Plan, person: Person = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Begin the experiment that PLAN describes; running servers follow within two seconds."""
    from llama_mapper.domain.contracts.releases import AbStart, ShadowStart

    document = document_in(plan)
    asked = given(ShadowStart, document) if document.get("mode") == "shadow" else given(AbStart, document)
    _tell(run(lambda found: found.experiments.create(asked, found.actor), person, data_dir), as_json)


@app.command("list")
def list_experiments(limit: Limit = 100, as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the newest experiments."""
    found = run(lambda opened: opened.experiments.experiments(limit=limit), None, data_dir)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    rows = (
        (one.id, one.plan.kind, one.plan.mode, one.plan.baseline, _versions(one), one.state, one.since.isoformat())
        for one in found.items
    )
    print_table(("experiment", "kind", "mode", "baseline", "treatments", "state", "since"), rows)


@app.command()
def show(id: Id, report: Report = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show an experiment with every effect and its interval."""
    found = run(lambda opened: opened.experiments.experiment(id), None, data_dir)
    if report is not None:
        series = run(lambda opened: opened.releases.series(id), None, data_dir)
        write_report(report, f"Experiment {found.id}", _summary(found), found.arms, found.effects, series.items)
    _tell(found, as_json)


@app.command()
def conclude(
    id: Id, person: Person = None, note: NoteText = "", as_json: Json = False, data_dir: DataDir = None
) -> None:
    """End an experiment; the effects stay as they are known now."""
    from llama_mapper.domain.contracts.releases import ReleaseNote

    asked = given(ReleaseNote, {"note": note})
    _tell(run(lambda found: found.experiments.conclude(id, asked, found.actor), person, data_dir), as_json)


def _tell(experiment: Experiment, as_json: bool) -> None:
    if as_json:
        typer.echo(experiment.model_dump_json())
        return
    for name, text in _summary(experiment):
        print_lines(f"{name}: {text}")
    tell_figures(experiment.arms, experiment.effects)


def _summary(experiment: Experiment) -> list[tuple[str, str]]:
    plan = experiment.plan
    return [
        ("experiment", experiment.id),
        ("what", f"{plan.kind} {plan.baseline} against {_versions(experiment)}, {plan.mode}"),
        ("state", experiment.state),
        ("started", f"{experiment.started_at.isoformat(timespec='seconds')} by {experiment.started_by}"),
    ]


def _versions(experiment: Experiment) -> str:
    return ", ".join(f"{each.version} {each.percent:g} %" for each in experiment.plan.treatments)
