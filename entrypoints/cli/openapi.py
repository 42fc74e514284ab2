"""`llama-mapper openapi`: the document that the server serves, without a server."""

from __future__ import annotations

import typer


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the monolith."""
    import orjson

    from llama_mapper.entrypoints.http.services import monolith_openapi

    typer.echo(orjson.dumps(monolith_openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode())
