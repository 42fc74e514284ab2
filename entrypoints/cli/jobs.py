"""`llama-mapper jobs`: what runs in the background of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.jobs import Job, JobSummary
    from llama_mapper.entrypoints.containers.remote_jobs import RemoteJobs

app = typer.Typer(help="Jobs: assessments in the background of a running server.")

Result = TypeVar("Result")
Url = Annotated[str, typer.Option(envvar="LLAMA_MAPPER_URL", help="The server.")]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="LLAMA_MAPPER_KEY",
        help="An API key; better in the environment, since every user of a machine can read a command's arguments.",
    ),
]
JobId = Annotated[str, typer.Argument(help="The job's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON as the server answers it.")]

_SERVER = "http://127.0.0.1:8080"
_FIRST_POLL_S, _LAST_POLL_S = 0.2, 2.0
_UNREACHED = 10


@app.callback()
def _group() -> None:
    """The commands about jobs."""


@app.command("list")
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    url: Url = _SERVER,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs, one a line: id, status, done, failed, total, created."""
    page = _ask(url, key, lambda jobs: jobs.page(limit=limit))
    if as_json:
        typer.echo(page.model_dump_json())
        return
    for job in page.items:
        typer.echo("\t".join(_row(job)))


@app.command()
def show(job_id: JobId, url: Url = _SERVER, key: Key = None, as_json: AsJson = False) -> None:
    """Show a job and its items."""
    _print(_ask(url, key, lambda jobs: jobs.get(job_id)), as_json)


@app.command()
def cancel(job_id: JobId, url: Url = _SERVER, key: Key = None, as_json: AsJson = False) -> None:
    """End a job; what was done stays."""
    _print(_ask(url, key, lambda jobs: jobs.cancel(job_id)), as_json)


@app.command()
def wait(
    job_id: JobId,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="Seconds to wait; default: for ever.")] = None,
    url: Url = _SERVER,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Wait until a job has ended and show it; exit status 1 unless it succeeded."""
    from llama_mapper.domain.contracts.jobs import JobStatus
    from llama_mapper.domain.kernel.errors import ErrorCode, OrchestrationError

    async def run(jobs: RemoteJobs) -> Job:
        try:
            async with asyncio.timeout(timeout):
                return await _until_ended(jobs, job_id)
        except TimeoutError:
            message = "the job has not ended yet; waiting longer is harmless"
            raise OrchestrationError(message, ErrorCode.REQUEST_TIMEOUT, True) from None

    job = _ask(url, key, run)
    _print(job, as_json)
    if job.status is not JobStatus.SUCCEEDED:
        raise typer.Exit(1)


async def _until_ended(jobs: RemoteJobs, job_id: str) -> Job:
    from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
    from llama_mapper.entrypoints.cli.progress import item_progress

    pause, unreached = _FIRST_POLL_S, 0
    with item_progress() as advance:
        while True:
            try:
                job = await jobs.get(job_id)
            except ServiceError as error:
                # A server that is started anew meanwhile still knows the job.
                unreached += 1
                if error.error_code is not ErrorCode.SERVICE_UNAVAILABLE or unreached > _UNREACHED:
                    raise
            else:
                unreached = 0
                advance(job.progress.done + job.progress.failed, job.progress.total, job.status.value)
                if job.ended_at is not None:
                    return job
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_POLL_S)


def _ask(url: str, key: str | None, call: Callable[[RemoteJobs], Awaitable[Result]]) -> Result:
    from llama_mapper.entrypoints.containers.remote_jobs import open_remote_jobs

    async def run() -> Result:
        async with open_remote_jobs(url, key) as jobs:
            return await call(jobs)

    return asyncio.run(run())


def _row(job: JobSummary) -> tuple[str, ...]:
    progress = job.progress
    counts = (str(progress.done), str(progress.failed), str(progress.total))
    return (job.id, job.status.value, *counts, job.created_at.isoformat(timespec="seconds"))


def _print(job: Job, as_json: bool) -> None:
    """The job on one line, then each item: place, ref, and the record's id or the error."""
    if as_json:
        typer.echo(job.model_dump_json())
        return
    typer.echo("\t".join(_row(job)))
    if job.error is not None:
        typer.echo(f"{job.error.code}: {job.error.message}")
    for item in job.items:
        outcome = item.assessment_id or (f"{item.error.code}: {item.error.message}" if item.error else "-")
        typer.echo(f"{item.index}\t{item.ref or '-'}\t{outcome}")
