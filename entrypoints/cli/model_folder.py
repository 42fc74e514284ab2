"""What the files in a model's folder say of the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError

_LARGEST = 16 * 1024 * 1024


def described(
    folder: Path, given: Mapping[str, str | None], ranges: Mapping[str, str | None], metrics: Path | None
) -> dict[str, Any]:
    """A description as plain data: what `given` and `ranges` say, then `model.json`, `card.json` (of training) and
    `adapter_config.json`; figures from `metrics`, by default `metrics.json`. Raise `MODEL_INVALID` for files that are
    no JSON objects.
    """
    told = dict(_object(folder / "model.json"))
    card, config = _object(folder / "card.json"), _object(folder / "adapter_config.json")
    for field, value in (
        ("kind", card.get("task")),
        ("base_model", config.get("base_model_name_or_path")),
        ("data_digest", card.get("digest")),
    ):
        if value is not None:
            told.setdefault(field, value)
    told |= {field: value for field, value in given.items() if value is not None}
    told["compatible"] = dict(told.get("compatible") or {}) | {
        part: text for part, text in ranges.items() if text is not None
    }
    found = _object(metrics if metrics is not None else folder / "metrics.json", needed=metrics is not None)
    told["metrics"] = figures(found) | dict(told.get("metrics") or {})
    return told


def figures(found: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """The numbers in nested objects, by their path joined with dots; all else is left out."""
    flat: dict[str, float] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat |= figures(value, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[before + name] = float(value)
    return flat


def _object(path: Path, *, needed: bool = False) -> Mapping[str, Any]:
    if not path.is_file() and not needed:
        return {}
    try:
        if path.stat().st_size > _LARGEST:
            raise ValidationError(f"{path} is too large", ErrorCode.MODEL_INVALID)
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ValidationError(f"cannot read {path}: {error.strerror}", ErrorCode.MODEL_INVALID) from None
    except ValueError:
        raise ValidationError(f"{path} is not JSON", ErrorCode.MODEL_INVALID) from None
    if not isinstance(found, dict):
        raise ValidationError(f"{path} is not a JSON object", ErrorCode.MODEL_INVALID)
    return found
