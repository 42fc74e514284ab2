"""A policy bundle as a folder of files: what a person writes and `llama-mapper policies draft` stores.

`bundle.json` has `name`, `version` and `description`; every `*.rego` file below the folder is a module; `data.json`, if
there is one, is the data.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.ports import PolicyBundle


def read_policy_folder(folder: Path) -> PolicyBundle:
    """The bundle in `folder`; raise `POLICY_INVALID`, naming the file, for what is missing or malformed."""
    manifest = _object(folder / "bundle.json")
    fields = [manifest.get(name) for name in ("name", "version", "description")]
    name, version, description = (field if isinstance(field, str) else None for field in fields)
    if name is None or version is None or description is None or len(manifest) != len(fields):
        raise PolicyEnforcementError("bundle.json has exactly the texts 'name', 'version' and 'description'")
    modules = {path.relative_to(folder).as_posix(): _text(path) for path in sorted(folder.rglob("*.rego"))}
    if not modules:
        raise PolicyEnforcementError("the folder has no *.rego file")
    data = folder / "data.json"
    return make_bundle(name, version, description, modules, _object(data) if data.exists() else {})


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path))
    except ValueError as error:
        raise PolicyEnforcementError(f"{path.name} is not JSON") from error
    if not isinstance(value, dict):
        raise PolicyEnforcementError(f"{path.name} is not a JSON object")
    return value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyEnforcementError(f"{path.name} cannot be read") from error
