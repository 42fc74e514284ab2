"""Tries bundles in a process of its own, by regorus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from llama_mapper.adapters.orchestration.policies.bounded_policy_engine import MEMORY_BYTES
from llama_mapper.adapters.orchestration.policies.rego_child import Message
from llama_mapper.adapters.orchestration.policies.rego_process import PolicyProcessLost, PolicyTooSlow, RegoProcess
from llama_mapper.domain.orchestration.ports import PolicyBundle
from llama_mapper.domain.orchestration.validation.exercise import Exercise, Facts, UnreachedLines
from llama_mapper.domain.orchestration.validation.report import TestOutcome

_LOST = "it broke the evaluator, or needed more memory than it may"


class ProcessBundleExercise:
    """Keeps `BundleExercise`: a new process for each bundle, ended afterwards.

    `limit_s` bounds one test or evaluation, `total_s` all of them.
    """

    def __init__(self, limit_s: float, total_s: float = 20.0, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self._limit_s = limit_s
        self._total_s = total_s
        self._memory_bytes = memory_bytes

    async def run(self, bundle: PolicyBundle, facts: Sequence[Facts]) -> Exercise:
        """See `BundleExercise`; takes at most `total_s` and the start of a process."""
        return await asyncio.to_thread(self._run, bundle, facts)

    def _run(self, bundle: PolicyBundle, facts: Sequence[Facts]) -> Exercise:
        process = RegoProcess(self._limit_s, self._memory_bytes)
        try:
            return _Run(process, time.monotonic() + self._total_s).through(bundle, facts)
        finally:
            process.close()


class _Overrun(Exception):
    """The step that this names took too long."""


class _Run:
    def __init__(self, process: RegoProcess, until: float) -> None:
        self._process = process
        self._until = until

    def through(self, bundle: PolicyBundle, facts: Sequence[Facts]) -> Exercise:
        tests: list[TestOutcome] = []
        plans: list[Mapping[str, Any] | str] = []
        try:
            opened = self._ask("compiling", op="open", modules=dict(bundle.modules), data=dict(bundle.data))
            if "invalid" in opened:
                return Exercise(fault=opened["invalid"])
            for test in opened["tests"]:
                done = self._ask(f"the test {test['name']}", op="test", name=test["name"])
                tests.append(TestOutcome(test["name"], test["path"], test["line"], done["passed"], done["message"]))
            for each in facts:
                where = f"the plan for {each['content_type']} content in mode {each['processing_mode']}"
                answer = self._ask(where, op="plan", facts=each)
                plans.append(answer["invalid"] if "invalid" in answer else answer["plan"])
            reached = self._ask("counting what was reached", op="reach")
        except _Overrun as overrun:
            return Exercise(overrun=str(overrun), tests=tuple(tests), plans=tuple(plans))
        return Exercise(tests=tuple(tests), plans=tuple(plans), unreached=tuple(_unreached(opened["rules"], reached)))

    def _ask(self, what: str, **message: Any) -> Message:
        left = self._until - time.monotonic()
        if left <= 0:
            raise _Overrun(what)
        try:
            return self._process.ask(message, left)
        except PolicyTooSlow:
            raise _Overrun(what) from None
        except PolicyProcessLost:
            raise _Overrun(f"{what} ({_LOST})") from None


def _unreached(rules: Sequence[Mapping[str, Any]], report: Message) -> list[UnreachedLines]:
    found = []
    for rule in rules:
        if rule["path"] not in report["reached"]:  # regorus leaves out modules that nothing came to
            found.append(UnreachedLines(rule["path"], rule["name"], (rule["first"],), whole=True))
            continue
        own = range(rule["first"], rule["last"] + 1)
        lines = tuple(line for line in report["unreached"][rule["path"]] if line in own)
        if lines:
            whole = not any(line in own for line in report["reached"][rule["path"]])
            found.append(UnreachedLines(rule["path"], rule["name"], lines, whole))
    return found
