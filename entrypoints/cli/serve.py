"""`llama-mapper serve`: the monolith or one context over HTTP."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir


class ServedContext(StrEnum):
    """What one process serves."""

    ALL = "all"
    ORCHESTRATION = "orchestration"
    ANALYSIS = "analysis"
    MAPPING = "mapping"


def serve(
    context: Annotated[ServedContext, typer.Option(help="The monolith, or one context.")] = ServedContext.ALL,
    host: Annotated[str | None, typer.Option(help="Address to listen on; without API keys a loopback one.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 lets the system choose.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Serve over HTTP until stopped."""
    from llama_mapper.entrypoints.http.server import serve_context
    from llama_mapper.entrypoints.settings import Settings

    serve_context(context.value, Settings.load(host=host, port=port, data_dir=data_dir))
