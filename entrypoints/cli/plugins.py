"""`llama-mapper plugins`: what installed packages add."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_table

if TYPE_CHECKING:
    from llama_mapper.entrypoints.containers.plugins import PluginState

app = typer.Typer(help="Plugins: detectors, policies and hooks of installed packages.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """The commands about plugins."""


@app.command("list")
def list_plugins(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List every plugin that is installed, what it brings, and why it is not in service if it is not."""
    from llama_mapper.entrypoints.containers.plugins import plugin_states
    from llama_mapper.entrypoints.settings import Settings

    _show(plugin_states(Settings.load(data_dir=data_dir)), as_json)


@app.command()
def check(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Load every plugin, try its detectors and policies; the exit status is 1 if something is wrong with one."""
    from llama_mapper.entrypoints.containers.plugins import check_plugins
    from llama_mapper.entrypoints.settings import Settings

    states = asyncio.run(check_plugins(Settings.load(data_dir=data_dir)))
    _show(states, as_json)
    if any(state.enabled and state.reason for state in states):
        raise typer.Exit(1)


def _show(states: tuple[PluginState, ...], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(state) for state in states], indent=2))
        return
    rows = (
        (
            state.name,
            state.version,
            state.package,
            ", ".join(name for names in state.brings.values() for name in names),
            state.reason or "in service",
        )
        for state in states
    )
    print_table(("plugin", "version", "package", "brings", "state"), rows)
