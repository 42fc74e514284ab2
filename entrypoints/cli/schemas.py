"""`llama-mapper schemas`: the contracts as JSON Schema files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def schemas(folder: Annotated[Path, typer.Argument(help="Folder to write to; made if it is missing.")]) -> None:
    """Write one JSON Schema (draft 2020-12) a published request, response and evidence envelope."""
    import orjson

    from llama_mapper.domain.contracts.published import published_schemas
    from llama_mapper.domain.kernel.errors import ConfigurationError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, schema in published_schemas().items():
            text = orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
            (folder / f"{name}.schema.json").write_bytes(text)
            typer.echo(f"{name}.schema.json")
    except OSError as error:
        raise ConfigurationError(f"cannot write to {folder}: {error.strerror}") from error
