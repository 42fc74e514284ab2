"""`llama-mapper db`: the database's schema."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir

app = typer.Typer(help="The database's schema.")


@app.callback()
def _group() -> None:
    """The commands about the database."""


@app.command()
def migrate(
    app_role: Annotated[
        str | None,
        typer.Option(help="The role that the service runs as; default: the user of LLAMA_MAPPER_DATABASE_URL."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Bring PostgreSQL to this version's schema, as the owner that LLAMA_MAPPER_DATABASE_OWNER_URL names.

    The URL is no option, since every user of the machine can read the arguments of a command.
    """
    from llama_mapper.entrypoints.containers.migrations import migrate_postgres
    from llama_mapper.entrypoints.settings import Settings

    settings = Settings.load(data_dir=data_dir)
    if settings.database_url is None and settings.database_owner_url is None:
        typer.echo(f"nothing to do: the SQLite files in {settings.data_dir} are migrated whenever a server starts")
        return

    async def run() -> None:
        async for schema in migrate_postgres(settings, app_role):
            typer.echo(f"{schema.context}: {schema.revision}{' (migrated)' if schema.changed else ''}")

    asyncio.run(run())
