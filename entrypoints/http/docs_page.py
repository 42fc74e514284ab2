"""A readable page of the OpenAPI document: no script, nothing fetched from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def docs_page(document: Mapping[str, Any]) -> str:
    """The document as one self-contained HTML page."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("llama_mapper.entrypoints.http", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    environment.filters["type_of"] = _type_of
    return environment.get_template("docs.html.j2").render(document=document)


def _type_of(schema: Mapping[str, Any]) -> str:
    """A schema's type in a few words: `string`, `Finding[]`, `number | null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " | ".join(_type_of(part) for part in schema[key])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"{_type_of(schema.get('items', {}))}[]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"map of {_type_of(schema['additionalProperties'])}"
    return kind
