"""Prompt attacks by Picket, the signature detector of aicordon: precise, English, no model, no network.

Labels are Picket's techniques, `IPI/` for instructions planted in data and `DPI/` for those a user types; the letters
that Picket appends number its own rules and change with its rule base.
"""

from __future__ import annotations

from typing import Any

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, DetectorFailed, Inspection, RawFinding

from .rules import strongest
from .windows import windows

_SCORES = {"critical": 0.98, "high": 0.95, "medium": 0.85, "low": 0.7}

# Picket's cost grows faster than the text where its terms are dense (2 to 100 ms for 1,000 characters); windows keep it
# linear, and enough findings end the scan.
_WINDOW, _OVERLAP = 4096, 512
_ENOUGH = 64


class PicketScanner:
    """Prompt attacks in both of Picket's modes, since content may be a user's turn or data an agent read."""

    descriptor = DetectorDescriptor(
        name="picket",
        vendor="aicordon_picket",
        vendor_version="1.4.0",
        categories=("security.prompt_attack",),
        labels=(
            "DPI/Persona.Lock",
            "DPI/Policy.Cancel",
            "DPI/Policy.Strip",
            "DPI/Refusal.Ban",
            "DPI/Roleplay.Frame",
            "IPI/Block.New",
            "IPI/Chain.Position",
            "IPI/Container.Payload",
            "IPI/Exfil.Send",
            "IPI/Generic.Relation",
            "IPI/Override.Cancel",
            "IPI/Persona.Switch",
            "IPI/Role.Assign",
            "IPI/Secret.Reveal",
            "IPI/System.Marker",
        ),
        languages=("en",),
        cost_ms_per_kchar=12.0,
    )

    def __init__(self) -> None:
        self._detectors: list[Any] = []

    def load(self) -> None:
        """Read the rule base that the package ships, once a mode."""
        try:
            from aicordon import picket
        except ImportError as error:
            raise ScannerNotInstalled("aicordon is missing: install llama-mapper[detectors]") from error
        self._detectors = [picket.load(mode=mode) for mode in ("ipi", "dpi")]

    def scan(self, text: str) -> Inspection:
        """One finding a technique and place."""
        if not self._detectors:
            raise DetectorFailed("Picket was not loaded")
        found: list[RawFinding] = []
        for at, window in windows(text, _WINDOW, _OVERLAP):
            for detector in self._detectors:
                for finding in detector.check(window).findings:
                    start, end = finding.span or (0, len(window))
                    score = _SCORES.get(finding.severity, 0.7)
                    found += [
                        RawFinding(threat.rpartition(".")[0], score, at + start, at + end)
                        for threat in (finding.threat, *finding.also)
                    ]
            if len(found) >= _ENOUGH:
                break
        return Inspection(strongest(found))


def picket_scanner() -> PicketScanner:
    """A scanner over Picket, not loaded yet."""
    return PicketScanner()
