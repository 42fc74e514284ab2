"""Detector definitions in YAML and JSON files, read with PyYAML."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError as PydanticError

from llama_mapper.domain.contracts.detectors import DetectorDefinition
from llama_mapper.domain.contracts.refusals import refusal_of
from llama_mapper.domain.kernel.errors import ConfigurationError

SUFFIXES = (".yaml", ".yml", ".json")
SIZE_LIMIT = 1_048_576
"""Bytes of one file."""

DEFINITIONS_LIMIT = 256
"""Definitions of one file, and of all files together."""

Fingerprint = tuple[int, int, int]
"""Modification time in nanoseconds, size in bytes, inode: what changes when a file does."""


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files that there are, and why a place could not be looked into: place → why."""

    files: Mapping[Path, Fingerprint]
    troubles: Mapping[str, str] = field(default_factory=dict)


def find_files(places: Sequence[Path]) -> FoundFiles:
    """Every definition file at these places, each a file or a folder, in their order and then by name."""
    files: dict[Path, Fingerprint] = {}
    troubles: dict[str, str] = {}
    for place in places:
        try:
            inside = sorted(each for each in place.iterdir() if _is_definition(each)) if place.is_dir() else [place]
            for path in inside:
                status = path.stat()
                files[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError as error:
            troubles[place.name] = f"it cannot be read: {error.strerror or type(error).__name__}"
    return FoundFiles(files, troubles)


def read_definitions(path: Path) -> tuple[DetectorDefinition, ...]:
    """The definitions in a file: one, or a list of them. Raises `CONFIGURATION_INVALID`, which quotes no value."""
    return tuple(_definition(one, at) for at, one in enumerate(_documents(path)))


def read_definition(path: Path) -> DetectorDefinition:
    """The one definition in a file; raise `CONFIGURATION_INVALID` for none or several."""
    found = read_definitions(path)
    if len(found) != 1:
        raise ConfigurationError(f"{path.name} must hold one definition and holds {len(found)}")
    return found[0]


def _is_definition(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _documents(path: Path) -> list[Any]:
    import yaml

    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > SIZE_LIMIT:
                raise ConfigurationError(f"it is larger than {SIZE_LIMIT} bytes")
            document = yaml.safe_load(file)  # JSON is YAML
    except OSError as error:
        raise ConfigurationError(f"it cannot be read: {error.strerror or type(error).__name__}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise ConfigurationError(f"it is neither YAML nor JSON{place}") from None
    documents = document if isinstance(document, list) else [document]
    if len(documents) > DEFINITIONS_LIMIT:
        raise ConfigurationError(f"it has more than {DEFINITIONS_LIMIT} definitions")
    return documents


def _definition(document: Any, at: int) -> DetectorDefinition:
    import orjson

    try:
        # By way of JSON, where a list is what the contract calls a tuple.
        return DetectorDefinition.model_validate_json(orjson.dumps(document))
    except PydanticError as error:
        raise ConfigurationError(f"definition {at + 1}: {refusal_of(error)[0].message}") from None
    except TypeError:
        raise ConfigurationError(f"definition {at + 1} has something that JSON has not") from None
