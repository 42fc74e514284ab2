"""`llama-mapper train jobs`: training in the background of a running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.jobs import AsJson, JobId, Key, Url

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.training import ReviewedLabel, TrainingJob
    from llama_mapper.entrypoints.containers.remote_training import RemoteTraining

app = typer.Typer(help="Training jobs in the background of a running server.")

Result = TypeVar("Result")
_SERVER = "http://127.0.0.1:8080"


@app.callback()
def _group() -> None:
    """The commands about training jobs."""


@app.command()
def submit(
    kind: Annotated[str, typer.Argument(help="mapper or analyst.")],
    base_model: Annotated[str, typer.Option(help="The server's name for a base model.")],
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Of the data set and of training.")] = 0,
    hold_out: Annotated[list[str] | None, typer.Option(help="A vendor to ask about only; may be repeated.")] = None,
    reviewed: Annotated[Path | None, typer.Option(help="JSON Lines of vendor, label, canonical.")] = None,
    url: Url = _SERVER,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Queue a job; prints its id."""
    from pydantic import ValidationError as PydanticError

    from llama_mapper.domain.contracts.refusals import refusal_of
    from llama_mapper.domain.contracts.training import (
        TrainingData,
        TrainingHyperparameters,
        TrainingKind,
        TrainingRequest,
    )
    from llama_mapper.domain.kernel.errors import ValidationError

    try:
        request = TrainingRequest(
            kind=TrainingKind(kind),
            base_model=base_model,
            hyperparameters=TrainingHyperparameters(steps=steps, seed=seed),
            data=TrainingData(seed=seed, hold_out=tuple(hold_out or ())),
            reviewed_labels=_labels(reviewed) if reviewed else (),
        )
    except PydanticError as error:
        raise refusal_of(error)[0] from None
    except ValueError:
        raise ValidationError("the kind is mapper or analyst") from None
    _print(_ask(url, key, lambda jobs: jobs.submit(request)), as_json)


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    url: Url = _SERVER,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs."""
    from llama_mapper.entrypoints.cli.printing import print_table

    page = _ask(url, key, lambda jobs: jobs.page(limit=limit))
    if as_json:
        typer.echo(page.model_dump_json())
        return
    print_table(("id", "kind", "status", "step", "of", "loss", "created"), [_row(job) for job in page.items])


@app.command()
def show(job_id: JobId, url: Url = _SERVER, key: Key = None, as_json: AsJson = False) -> None:
    """Show a job: how far it is, and what came of it."""
    _print(_ask(url, key, lambda jobs: jobs.get(job_id)), as_json)


@app.command()
def logs(
    job_id: JobId,
    lines: Annotated[int, typer.Option(min=1, max=1000, help="How many of the last ones.")] = 100,
    url: Url = _SERVER,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Print the end of a job's log."""
    from llama_mapper.entrypoints.cli.printing import print_lines

    log = _ask(url, key, lambda jobs: jobs.logs(job_id, lines=lines))
    if as_json:
        typer.echo(log.model_dump_json())
    elif log.lines:
        print_lines("\n".join(log.lines))


@app.command()
def cancel(job_id: JobId, url: Url = _SERVER, key: Key = None, as_json: AsJson = False) -> None:
    """End a job: its process is killed, its checkpoints stay."""
    _print(_ask(url, key, lambda jobs: jobs.cancel(job_id)), as_json)


def _labels(file: Path) -> tuple[ReviewedLabel, ...]:
    from llama_mapper.domain.contracts.training import ReviewedLabel
    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.domain.mapping.training.overlay import read_reviewed
    from llama_mapper.entrypoints.containers.training import canonical_labels

    try:
        with file.open(encoding="utf-8") as lines:
            found = read_reviewed(lines, canonical_labels())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read ({type(error).__name__})") from error
    return tuple(
        ReviewedLabel(
            vendor=label.key.vendor,
            vendor_version=label.key.vendor_version,
            label=label.key.label,
            canonical=label.canonical,
        )
        for label in found
    )


def _ask(url: str, key: str | None, call: Callable[[RemoteTraining], Awaitable[Result]]) -> Result:
    from llama_mapper.entrypoints.containers.remote_training import open_remote_training

    async def run() -> Result:
        async with open_remote_training(url, key) as jobs:
            return await call(jobs)

    return asyncio.run(run())


def _row(job: TrainingJob) -> tuple[str, ...]:
    progress = job.progress
    loss = "" if progress.loss is None else f"{progress.loss:.4f}"
    created = job.created_at.isoformat(timespec="seconds")
    return (job.id, job.kind.value, job.status.value, str(progress.step), str(progress.steps), loss, created)


def _print(job: TrainingJob, as_json: bool) -> None:
    from llama_mapper.entrypoints.cli.printing import plain

    if as_json:
        typer.echo(job.model_dump_json())
        return
    typer.echo("\t".join(_row(job)))
    for note in job.progress.notes:
        typer.echo(plain(note))
    if job.error is not None:
        typer.echo(f"{job.error.code}: {plain(job.error.message)}")
    if job.model is not None:
        typer.echo(f"registered as {plain(job.model)}: {json.dumps(job.metrics)}")
