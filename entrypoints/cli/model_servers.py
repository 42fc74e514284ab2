"""`llama-mapper models servers|load|unload|statistics`: the servers that run models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.models import person
from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.model_servers import ModelServerInfo
    from llama_mapper.domain.mapping.generation.server_desk import ModelServerDesk

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str, typer.Argument(help="The model's name on the server.")]
ServerOption = Annotated[
    str | None, typer.Option("--server", help="One of the setting model_servers; not needed where there is only one.")
]
Note = Annotated[str, typer.Option(help="Why; it is kept in the history.")]
Result = TypeVar("Result")


def servers(
    history: Annotated[str | None, typer.Option(help="Show what was done to the models of this server.")] = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List the servers that run models, and what each has.

    Exit status 1 if one of them, or a model that the settings need, is not ready.
    """
    if history is not None:
        steps = _run(data_dir, lambda desk: desk.history(history, limit=1000))
        if as_json:
            typer.echo(steps.model_dump_json())
            return
        lines = [
            (str(each.number), each.model, each.action, f"{each.state} {each.code}".strip(), each.who, each.note)
            for each in steps.items
        ]
        print_table(("number", "model", "action", "state", "by", "note"), lines)
        return
    found = _run(data_dir, lambda desk: desk.servers())
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        print_table(("server", "model", "version", "state"), [row for each in found.items for row in _rows(each)])
    if not all(each.ready and not each.missing for each in found.items):
        raise typer.Exit(1)


def load(
    model: Model,
    server: ServerOption = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, laid over the model's configuration; may be repeated.")
    ] = None,
    note: Note = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Load a model on its server, or load it again from what the server's repository now has."""
    from llama_mapper.domain.contracts.model_servers import ModelLoad
    from llama_mapper.domain.contracts.refusals import faults_of
    from llama_mapper.domain.kernel.errors import ValidationError

    given: dict[str, str] = {}
    for each in parameter or ():
        name, found, value = each.partition("=")
        if not found:
            raise typer.BadParameter("give NAME=VALUE", param_hint="--parameter")
        given[name] = value
    asked, faults = faults_of(ModelLoad, {"parameters": given, "note": note})
    if asked is None:
        raise ValidationError(f"{faults[0].field}: {faults[0].message}")
    _print(_run_on(data_dir, server, lambda desk, name: desk.load(name, model, asked, person())), as_json)


def unload(
    model: Model, server: ServerOption = None, note: Note = "", as_json: Json = False, data_dir: DataDir = None
) -> None:
    """Take a model out of service on its server, once its requests are answered."""
    from llama_mapper.domain.contracts.model_servers import ModelUnload

    asked = ModelUnload(note=note)
    _print(_run_on(data_dir, server, lambda desk, name: desk.unload(name, model, asked, person())), as_json)


def statistics(model: Model, server: ServerOption = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show what a model's loaded versions have done."""
    found = _run_on(data_dir, server, lambda desk, name: desk.statistics(name, model))
    if as_json:
        typer.echo(found.model_dump_json())
        return
    rows = [
        (
            each.version,
            str(each.requests),
            str(each.failures),
            str(each.executions),
            f"{each.queue_s:.3f}",
            f"{each.compute_s:.3f}",
        )
        for each in found.items
    ]
    print_table(("version", "answered", "failed", "runs", "s in queue", "s in model"), rows)


def _run(data_dir: Path | None, use: Callable[[ModelServerDesk], Awaitable[Result]]) -> Result:
    from llama_mapper.entrypoints.containers.model_servers import open_servers_alone
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> Result:
        async with open_servers_alone(Settings.load(data_dir=data_dir)) as desk:
            return await use(desk)

    return asyncio.run(run())


def _run_on(
    data_dir: Path | None, server: str | None, use: Callable[[ModelServerDesk, str], Awaitable[Result]]
) -> Result:
    def one(desk: ModelServerDesk) -> str:
        if server is not None:
            return server
        if len(desk.known) == 1:
            return desk.known[0].name
        names = ", ".join(each.name for each in desk.known) or "there is none"
        raise typer.BadParameter(f"name one of model_servers: {names}", param_hint="--server")

    return _run(data_dir, lambda desk: use(desk, one(desk)))


def _rows(info: ModelServerInfo) -> list[tuple[str, ...]]:
    if info.fault is not None:
        return [(info.name, "", "", info.fault)]
    there = {each.name for each in info.models}
    rows = [
        (info.name, each.name, each.version, f"{each.state or 'not loaded'} {each.reason}".strip())
        for each in info.models
    ]
    return [*rows, *[(info.name, name, "", "not in the repository") for name in info.missing if name not in there]]


def _print(info: ModelServerInfo, as_json: bool) -> None:
    if as_json:
        typer.echo(info.model_dump_json())
    else:
        print_table(("server", "model", "version", "state"), _rows(info))
