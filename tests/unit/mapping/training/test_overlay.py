"""Reviewed labels from a file."""

from __future__ import annotations

import json

import pytest

from llama_mapper.domain.kernel.errors import ValidationError
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.training.overlay import read_reviewed

KNOWN = {"pii.names", "pii.numbers"}


def line(**changes: object) -> str:
    return json.dumps({"vendor": "v", "label": "SECRET LABEL", "canonical": "pii.names"} | changes)


def test_labels_are_read_once_each_and_blank_lines_are_passed_over() -> None:
    found = read_reviewed([line(), "\n", line(), line(vendor_version="2")], KNOWN)
    assert found == (
        KnownLabel(LabelKey("v", None, "SECRET LABEL"), "pii.names"),
        KnownLabel(LabelKey("v", "2", "SECRET LABEL"), "pii.names"),
    )


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        '"x"',
        "[" * 100_000,
        line(canonical="pii.other"),
        line(canonical=3),
        line(label=""),
        line(label="x" * 257),
        line(label="a\u0000b"),
        line(vendor=None),
        line(extra=1),
        json.dumps({"vendor": "v", "label": "SECRET LABEL"}),
        line(canonical="pii.numbers"),
    ],
)
def test_what_is_wrong_is_told_by_its_line_and_never_quoted(bad: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_reviewed([line(), bad], KNOWN)
    assert caught.value.message.startswith("line 2: ")
    assert "SECRET" not in caught.value.message
