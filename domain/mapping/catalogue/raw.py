"""The catalogue's four documents as plain data, before anything is known to be right about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RawCatalogue:
    """Four parsed documents, in the shape that `docs/mapping.md` describes; nothing about them is assumed."""

    taxonomy: Mapping[str, Any]
    vocabularies: Mapping[str, Any]
    frameworks: Mapping[str, Any]
    crosswalk: Mapping[str, Any]


RawSource = Callable[[], RawCatalogue]
"""Reads the shipped documents: some 100 ms, so only where somebody has uploaded what needs them."""
