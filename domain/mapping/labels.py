"""Vendor labels as the stages of the cascade see them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabelKey:
    """A vendor's own label. Untrusted text: it is shown to models as data and never believed."""

    vendor: str
    vendor_version: str | None
    label: str


@dataclass(frozen=True, slots=True)
class KnownLabel:
    """A vendor label whose meaning a vocabulary, an overlay or a reviewer gives."""

    key: LabelKey
    canonical: str
    also: tuple[str, ...] = ()
