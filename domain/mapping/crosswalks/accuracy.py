"""How a crosswalk does on test cases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.contracts.crosswalks import CaseFailure, CrosswalkAccuracy, EditionAccuracy
from llama_mapper.domain.mapping.catalogue.shape import Found

ControlsOf = Callable[[str, str], Collection[str]]
"""(canonical label, `framework:edition`) → ids of the controls that the label touches."""


@dataclass(frozen=True, slots=True)
class ControlCase:
    """A label must touch these controls of an edition, and must not touch those."""

    label: str
    edition: str
    must: tuple[str, ...]
    must_not: tuple[str, ...]
    why: str


def cases_of(document: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[ControlCase, ...]:
    """The cases of a document `{cases: […]}`, or of the list itself."""
    entries = document["cases"] if isinstance(document, Mapping) else document
    return tuple(
        ControlCase(
            entry["label"],
            entry["edition"],
            tuple(entry.get("must", ())),
            tuple(entry.get("must_not", ())),
            entry["why"],
        )
        for entry in entries
    )


def case_problems(
    cases: Sequence[ControlCase], labels: Collection[str], editions: Mapping[str, Collection[str]]
) -> Found:
    """Cases that name what does not exist, say nothing, or contradict themselves."""
    for position, case in enumerate(cases):
        where = f"cases/{position}"
        if case.label not in labels:
            yield where, f"'{case.label}' is not in the taxonomy"
        controls = editions.get(case.edition)
        if controls is None:
            yield where, f"'{case.edition}' is not an edition of a known framework"
        else:
            for control in (*case.must, *case.must_not):
                if control not in controls:
                    yield where, f"'{case.edition}' has no control '{control}'"
        if not case.must and not case.must_not:
            yield where, "demands nothing"
        for control in {*case.must} & {*case.must_not}:
            yield where, f"'{control}' both must and must not be touched"


def with_own(shipped: Sequence[ControlCase], own: Sequence[ControlCase]) -> tuple[ControlCase, ...]:
    """The shipped cases and a version's own: these stand in for shipped ones about the same label and edition."""
    spoken_for = {(case.label, case.edition) for case in own}
    return (*(case for case in shipped if (case.label, case.edition) not in spoken_for), *own)


def validate_mapping_accuracy(
    controls_of: ControlsOf, cases: Sequence[ControlCase], *, version: str, gate: float, framework: str | None = None
) -> CrosswalkAccuracy:
    """How a crosswalk does on the cases of `framework` (an id or `id:edition`), or of all.

    A case passes as a whole or not at all. The crosswalk passes if in every edition at least the share `gate` of the
    cases does: one that is wrong about a single framework is not saved by the others.
    """
    chosen = [
        case for case in cases if framework is None or framework in (case.edition, case.edition.partition(":")[0])
    ]
    counts: dict[str, list[int]] = {}
    failures: list[CaseFailure] = []
    for case in chosen:
        touched = controls_of(case.label, case.edition)
        missing = tuple(control for control in case.must if control not in touched)
        wrong = tuple(control for control in case.must_not if control in touched)
        count = counts.setdefault(case.edition, [0, 0])
        count[0] += 1
        if missing or wrong:
            failures.append(
                CaseFailure(label=case.label, edition=case.edition, missing=missing, wrong=wrong, why=case.why)
            )
        else:
            count[1] += 1
    editions = tuple(
        EditionAccuracy(edition=edition, cases=all_of, passed=passed, accuracy=passed / all_of)
        for edition, (all_of, passed) in sorted(counts.items())
    )
    passed = len(chosen) - len(failures)
    return CrosswalkAccuracy(
        version=version,
        cases=len(chosen),
        passed=passed,
        accuracy=passed / len(chosen) if chosen else 1.0,
        gate=gate,
        passes=all(each.accuracy >= gate for each in editions),
        editions=editions,
        failures=tuple(failures[:2000]),
    )
