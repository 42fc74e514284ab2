"""The shape of an in-process detector: plain synchronous code that a worker process loads once and runs."""

from __future__ import annotations

from typing import Protocol

from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection


class ScannerNotInstalled(Exception):
    """A library that the scanner needs is missing; the message names the extra that brings it."""


class TextScanner(Protocol):
    """Judges text synchronously. Built cheaply, loaded once in the process that runs it, then called many times."""

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What it declares; readable before `load` and without its libraries being installed."""
        ...

    def load(self) -> None:
        """Import libraries and build models; raise `ScannerNotInstalled` where a library is missing."""
        ...

    def scan(self, text: str) -> Inspection:
        """Judge `text`: labels of the vendor's vocabulary, scores 0 to 1, code-point offsets. Keeps nothing of it."""
        ...
