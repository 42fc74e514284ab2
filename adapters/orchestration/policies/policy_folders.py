"""A policy bundle as a folder of files: what a person writes and `llama-mapper policies draft` stores.

`bundle.json` has `name`, `version` and `description`, and the `schema` that the bundle is written in unless that is 1;
every `*.rego` file below the folder is a module; `data.json`, if there is one, is the data.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_mapper.domain.kernel.errors import ConfigurationError, PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.ports import PolicyBundle
from llama_mapper.domain.orchestration.schema import Draft, Migrated, migrate, schema_of

_TEXTS = ("name", "version", "description")


def read_policy_folder(folder: Path) -> PolicyBundle:
    """The bundle in `folder`; raise `POLICY_INVALID`, naming the file, for what is missing or malformed."""
    manifest = _object(folder / "bundle.json")
    schema_of(manifest)
    fields = [manifest.get(name) for name in _TEXTS]
    name, version, description = (field if isinstance(field, str) else None for field in fields)
    if name is None or version is None or description is None or set(manifest) - {*_TEXTS, "schema"}:
        raise PolicyEnforcementError(
            "bundle.json has exactly the texts 'name', 'version' and 'description' and the number 'schema'"
        )
    modules = {path.relative_to(folder).as_posix(): _text(path) for path in sorted(folder.rglob("*.rego"))}
    if not modules:
        raise PolicyEnforcementError("the folder has no *.rego file")
    data = folder / "data.json"
    return make_bundle(name, version, description, modules, _object(data) if data.exists() else {})


def migrate_policy_folder(folder: Path, output: Path) -> Migrated:
    """Write the bundle in `folder`, in the current schema, to `output`, which must not exist; tell what was changed.

    Raises `POLICY_SCHEMA_UNSUPPORTED` or `POLICY_INVALID` for a bundle that cannot be read, `CONFIGURATION_INVALID` if
    the new folder cannot be written.
    """
    read_policy_folder(folder)
    data = folder / "data.json"
    migrated = migrate(Draft(_object(folder / "bundle.json"), _object(data) if data.exists() else {}))
    try:
        shutil.copytree(folder, output)
        _write(output / "bundle.json", migrated.draft.manifest)
        if data.exists() or migrated.draft.data:
            _write(output / "data.json", migrated.draft.data)
    except OSError as error:
        raise ConfigurationError(f"cannot write {output}: {error.strerror or type(error).__name__}") from error
    return migrated


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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
