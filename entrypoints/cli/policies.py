"""`llama-mapper policies`: the policy bundles that requests may name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir

if TYPE_CHECKING:
    from llama_mapper.domain.orchestration.ports import PolicyBundle

app = typer.Typer(help="Policy bundles: which detectors run, what must be covered, what follows.")

Tenant = Annotated[str, typer.Option(help="Whose bundles.")]


@app.callback()
def _group() -> None:
    """The commands about policies."""


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="Folder with bundle.json, *.rego and data.json.")],
    tenant: Tenant = "local",
    data_dir: DataDir = None,
) -> None:
    """Check the bundle in FOLDER and store it; running servers use it within a second. A version is stored once."""
    from llama_mapper.entrypoints.containers.policies import open_policies
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> PolicyBundle:
        async with open_policies(Settings.load(data_dir=data_dir)) as policies:
            return await policies.add(tenant, folder)

    bundle = asyncio.run(run())
    typer.echo(f"{bundle.applied} {bundle.digest}")


@app.command("list")
def list_bundles(tenant: Tenant = "local", data_dir: DataDir = None) -> None:
    """List the bundles that requests of the tenant may name, its own before shipped ones of the same name."""
    from rich.console import Console
    from rich.table import Table

    from llama_mapper.entrypoints.containers.policies import open_policies
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> list[tuple[str, PolicyBundle]]:
        async with open_policies(Settings.load(data_dir=data_dir)) as policies:
            own = await policies.stored.list(tenant)
            shadowed = {bundle.name for bundle in own}
            rest = [bundle for bundle in policies.shipped if bundle.name not in shadowed]
            return [*(("own", bundle) for bundle in own), *(("shipped", bundle) for bundle in rest)]

    table = Table("bundle", "version", "from", "description")
    for origin, bundle in asyncio.run(run()):
        table.add_row(bundle.name, bundle.version, origin, bundle.description)
    Console().print(table)
