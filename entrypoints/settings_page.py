"""The page about the settings, `docs/configuration.md`, made from them.

python -m llama_mapper.entrypoints.settings_page > docs/configuration.md
"""

from __future__ import annotations

import sys
from typing import Any

from pydantic_core import PydanticUndefined

from llama_mapper.entrypoints.settings import CONFIG_FILE, CONFIG_VARIABLE, PREFIX, Settings

_HEAD = f"""\
# Configuration

<!-- Made by `python -m llama_mapper.entrypoints.settings_page`; a test compares. Change entrypoints/settings.py. -->

Every setting can be given, strongest first:

1. as an argument: `LlamaMapper.open(port=…)`, and on the command line where a command has the option;
2. in the environment: the name in capitals after `{PREFIX}`;
3. in a `.env` file in the working directory, spelled as in the environment;
4. in a TOML file, spelled as below: `{CONFIG_FILE}` in the working directory, or the file named by
   `{CONFIG_VARIABLE}`.

An empty variable counts as not set. A wrong value is an error, and so is an unknown name in one of the two files; the
message names the setting and never shows its value. In Kubernetes, set `enableServiceLinks: false` where a service is
called `llama-mapper`: service links put an address into `{PREFIX}PORT`.

| setting | environment | values | default | meaning |
| --- | --- | --- | --- | --- |
"""

_TAIL = """
The largest request body follows from `content_limit`: six bytes a character and 64 KiB.

A TOML file:

```toml
port = 8081
log_format = "console"
detectors = ["language", "toxicity"]
```
"""


def settings_page() -> str:
    """The whole page, as `docs/configuration.md` holds it."""
    schema = Settings.model_json_schema()["properties"]
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else f"`{_plain(field.default)}`"
        meaning = " ".join((field.description or "").split())
        rows.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {_values(schema[name])} | {default} | {meaning} |\n")
    return _HEAD + "".join(rows) + _TAIL


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _values(schema: dict[str, Any]) -> str:
    """What a setting may be, from its JSON schema."""
    schema = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "minimum" in schema:
        return f"{schema['type']}, {_number(schema['minimum'])} to {_number(schema['maximum'])}"
    if schema.get("writeOnly"):
        return "secret"
    return {"uri": "URL", "path": "folder"}.get(schema.get("format", ""), _KINDS[schema["type"]])


_KINDS = {
    "string": "text",
    "boolean": "`true`, `false`",
    "array": "names",
    "integer": "integer",
    "number": "number",
    "object": "table",
}


if __name__ == "__main__":
    sys.stdout.write(settings_page())
