"""Faults as the checks find them."""

from __future__ import annotations

from collections.abc import Iterator

from llama_mapper.domain.contracts.validation import FaultCode, FaultSeverity, ValidationFault

Faults = Iterator[ValidationFault]


def error(place: str, code: FaultCode, message: str) -> ValidationFault:
    """Something that makes the document unusable."""
    return ValidationFault(place=place[:512], code=code, severity=FaultSeverity.ERROR, message=message[:512])


def warning(place: str, code: FaultCode, message: str) -> ValidationFault:
    """Something that its owner will want to know."""
    return ValidationFault(place=place[:512], code=code, severity=FaultSeverity.WARNING, message=message[:512])


def below(place: str, name: str | int) -> str:
    """The place of a part."""
    return f"{place}.{name}" if place else str(name)
