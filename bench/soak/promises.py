"""What every answer must keep, recomputed from the outside."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bench.soak.cast import CAST, THRESHOLD

SUCCESS = "success"
STATUSES = frozenset({SUCCESS, "failed", "timeout", "unavailable", "skipped"})
_NEAR = 1e-9


def achieved_of(statuses: Mapping[str, str]) -> float:
    """Weighted coverage: the weight of the detectors that succeeded, as a share of all."""
    covered = math.fsum(part.weight for part in CAST if statuses.get(part.name) == SUCCESS)
    return covered / math.fsum(part.weight for part in CAST)


def statuses_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Detector → status, as an orchestration's record tells it."""
    return {result["detector"]: result["status"] for result in record["detector_results"]}


def broken_by(record: Mapping[str, Any], status: int, content: str) -> Iterator[str]:
    """What an orchestration's record breaks, given the HTTP status that it came with and the content that was sent."""
    statuses = statuses_of(record)
    names = {part.name for part in CAST}
    if set(statuses) != names or len(record["detector_results"]) != len(CAST):
        yield f"the record names {sorted(statuses)}"
    if strange := set(statuses.values()) - STATUSES:
        yield f"the record has the statuses {sorted(strange)}"
    yield from _broken_coverage(record, statuses, status)
    results = {result["detector"]: result for result in record["detector_results"]}
    for part in CAST:
        if (result := results.get(part.name)) is None:
            continue
        found = sorted((each["span"]["start"], each["span"]["end"]) for each in result["findings"])
        succeeded = result["status"] == SUCCESS
        if found != (_places(part.word, content) if succeeded else []):
            yield f"{part.name} ({result['status']}) has findings that are not those of this content"
        if succeeded is (result["fault"] is not None):
            yield f"{part.name} has status {result['status']} and the fault {result['fault']}"


def _broken_coverage(record: Mapping[str, Any], statuses: Mapping[str, str], status: int) -> Iterator[str]:
    coverage = record["coverage"]
    achieved = achieved_of(statuses)
    sufficient = achieved + _NEAR >= THRESHOLD
    if not math.isclose(coverage["achieved"], achieved, abs_tol=_NEAR):
        yield f"coverage {coverage['achieved']} where {achieved} was achieved"
    if record["coverage_achieved"] != coverage["achieved"]:
        yield "the record tells two coverages"
    if coverage["sufficient"] is not sufficient or status != (200 if sufficient else 206):
        yield f"status {status}, sufficient {coverage['sufficient']}, at coverage {achieved}"
    gaps = {gap["subject"] for gap in coverage["gaps"]}
    if gaps != {part.name for part in CAST if statuses.get(part.name) != SUCCESS}:
        yield f"the gaps are {sorted(gaps)}"


def _places(word: str, content: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(word, content)]
