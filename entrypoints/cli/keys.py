"""`llama-mapper keys`: who may call the HTTP doors."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.entrypoints.cli.options import DataDir

if TYPE_CHECKING:
    from llama_mapper.domain.kernel.credentials import ApiKeyRecord

app = typer.Typer(help="API keys. As soon as there is one, the server asks every caller for one.")

_DEFAULT_SCOPES = [Scope.ASSESS, Scope.READ]


@app.callback()
def _group() -> None:
    """The commands about keys."""


@app.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose data the key opens.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "unnamed",
    scope: Annotated[list[Scope], typer.Option(help="What it permits; may be repeated.")] = _DEFAULT_SCOPES,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="How long it is valid; default: for ever.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Create a key and print it, this once: only a keyed hash of it is stored."""
    from llama_mapper.domain.kernel.clock import system_clock
    from llama_mapper.domain.kernel.credentials import issue_key
    from llama_mapper.domain.kernel.errors import ValidationError
    from llama_mapper.entrypoints.containers.identity import open_api_keys
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> str:
        now = system_clock()
        async with open_api_keys(Settings.load(data_dir=data_dir)) as identity:
            try:
                key, record = issue_key(
                    identity.pepper,
                    name=name,
                    tenant_id=tenant,
                    scopes=frozenset(scope),
                    created_at=now,
                    expires_at=now + timedelta(days=days) if days else None,
                )
            except ValueError as error:
                raise ValidationError(str(error)) from None
            await identity.keys.add(record)
            return key

    typer.echo(asyncio.run(run()))


@app.command("list")
def list_keys(data_dir: DataDir = None) -> None:
    """List the keys, without their secrets; in a pipe one a line, separated by tabs."""
    import sys

    from llama_mapper.entrypoints.containers.identity import open_api_keys
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> list[ApiKeyRecord]:
        async with open_api_keys(Settings.load(data_dir=data_dir)) as identity:
            return await identity.keys.list()

    rows = [_row(record) for record in asyncio.run(run())]
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        for row in rows:
            typer.echo("\t".join(row))


def _row(record: ApiKeyRecord) -> tuple[str, ...]:
    dates = (record.created_at, record.expires_at, record.revoked_at)
    return (
        record.key_id,
        " ".join(record.name.split()),
        record.tenant_id,
        " ".join(sorted(record.scopes)),
        *(date.isoformat(timespec="seconds") if date else "" for date in dates),
    )


def _print_table(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("key", no_wrap=True), "name", "tenant", "scopes", "created", "expires", "revoked")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # a name is text, not markup
    Console().print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The 16 characters between lm_ and the next _.")],
    data_dir: DataDir = None,
) -> None:
    """Revoke a key; running servers refuse it within two seconds."""
    from llama_mapper.domain.kernel.clock import system_clock
    from llama_mapper.domain.kernel.errors import NotFoundError
    from llama_mapper.entrypoints.containers.identity import open_api_keys
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> bool:
        async with open_api_keys(Settings.load(data_dir=data_dir)) as identity:
            return await identity.keys.revoke(key_id, system_clock())

    if not asyncio.run(run()):
        raise NotFoundError("there is no such key")
    typer.echo("revoked")
