"""Running a bundle on trial: what the validator needs of an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from llama_mapper.domain.orchestration.ports import PolicyBundle
from llama_mapper.domain.orchestration.validation.report import TestOutcome

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UnreachedLines:
    """Lines of a rule that neither a test nor an evaluation came to; `whole`: all that it has."""

    path: str
    rule: str
    lines: tuple[int, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Exercise:
    """What came of a trial.

    `fault` says why the bundle does not compile; nothing was run then. `overrun` names what took longer than it may;
    the trial ended there. `plans` has the plan, or what the policy did wrong, for each of the facts up to then.
    """

    fault: str | None = None
    overrun: str | None = None
    tests: tuple[TestOutcome, ...] = ()
    plans: tuple[Mapping[str, Any] | str, ...] = ()
    unreached: tuple[UnreachedLines, ...] = ()


class BundleExercise(Protocol):
    """Tries bundles that nobody vouches for, within a limit of time, without holding up anything else."""

    async def run(self, bundle: PolicyBundle, facts: Sequence[Facts]) -> Exercise:
        """Run the bundle's tests, then its plan for each of `facts`; raises nothing for what the bundle does wrong."""
        ...
