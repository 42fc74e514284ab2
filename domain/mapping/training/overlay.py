"""Labels that a tenant's reviewers decided, as a file hands them over: JSON Lines of vendor, label, canonical."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable

from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey

LABEL_LIMIT = 256
_NAME_LIMIT = 128
_KNOWN = frozenset({"vendor", "vendor_version", "label", "canonical"})


def read_reviewed(lines: Iterable[str], canonicals: Container[str]) -> tuple[KnownLabel, ...]:
    """The labels of a file, one JSON object a line; blank lines are passed over.

    Raise `INVALID_REQUEST` with the line's number, and never its text, for anything that is not such an object, for a
    canonical label that the taxonomy lacks, and for a label that is there twice with two meanings.
    """
    found: dict[LabelKey, KnownLabel] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        label = _label(line, number)
        if label.canonical not in canonicals:
            raise ValidationError(f"line {number}: the taxonomy has no such canonical label")
        before = found.setdefault(label.key, label)
        if before.canonical != label.canonical:
            raise ValidationError(f"line {number}: the label was there before with another meaning")
    return tuple(found.values())


def _label(line: str, number: int) -> KnownLabel:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        raise ValidationError(f"line {number}: not JSON") from None
    if not isinstance(raw, dict) or raw.keys() - _KNOWN or not {"vendor", "label", "canonical"} <= raw.keys():
        raise ValidationError(
            f"line {number}: expected an object of vendor, label, canonical and, if known, vendor_version"
        )
    vendor, label, canonical, version = raw["vendor"], raw["label"], raw["canonical"], raw.get("vendor_version")
    bounds = ((vendor, _NAME_LIMIT), (label, LABEL_LIMIT), (canonical, _NAME_LIMIT), (version or "-", _NAME_LIMIT))
    for value, limit in bounds:
        if not isinstance(value, str) or not 0 < len(value) <= limit or not value.isprintable():
            raise ValidationError(
                f"line {number}: each is a printable text, a label of at most {LABEL_LIMIT} characters"
            )
    return KnownLabel(LabelKey(vendor, version, label), canonical)
