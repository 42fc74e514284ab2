"""Rego in this process, by regorus (Microsoft's engine in Rust, through the wheel gordon-to-regorus)."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol

from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.ports import PolicyBundle

_RULE = "data.llama_mapper.policy.plan"


class _Engine(Protocol):
    """What is used of `regorus.Engine`, which comes without types."""

    def add_policy(self, path: str, rego: str) -> object: ...
    def add_data_json(self, data: str) -> None: ...
    def set_input_json(self, input: str) -> None: ...
    def eval_rule_as_json(self, rule: str) -> str: ...


class RegorusPolicyEngine:
    """Keeps `PolicyEngine`; compiles each bundle once a thread, and keeps the `capacity` most recently used.

    A regorus engine may be used only in the thread that made it (elsewhere the binding panics), so every thread has
    its own compiled bundles. An evaluation holds the event loop for as long as the policy computes: the shipped
    bundles take about a millisecond, and the service remembers decisions. The engine has no network built-ins.
    Input and plan cross as JSON, so that sets and numbers arrive as they do from an OPA server.
    """

    def __init__(self, capacity: int = 64) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        self._here = threading.local()

    async def evaluate(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The bundle's plan; raise `POLICY_INVALID` if it does not compile, fails, or gives no object."""
        engine = self._compiled(bundle)
        try:
            engine.set_input_json(json.dumps(facts, allow_nan=False))
            plan = json.loads(engine.eval_rule_as_json(_RULE))
        except (RuntimeError, ValueError) as error:
            raise _invalid("could not be evaluated", error) from error
        if not isinstance(plan, dict):
            raise PolicyEnforcementError(f"{_RULE} is undefined or not an object")
        return plan

    def close(self) -> None:
        """Let go of what this thread compiled; it may be compiled again.

        Left to the garbage collector, an engine may be dropped in whatever thread that runs in, which the binding
        refuses with an error that nobody can catch.
        """
        self._here.__dict__.clear()

    def _compiled(self, bundle: PolicyBundle) -> _Engine:
        engines: OrderedDict[str, _Engine] | None = getattr(self._here, "engines", None)
        if engines is None:
            engines = self._here.engines = OrderedDict()
        engine = engines.get(bundle.digest)
        if engine is None:
            engine = engines[bundle.digest] = _compile(bundle)
            if len(engines) > self._capacity:
                engines.popitem(last=False)
        else:
            engines.move_to_end(bundle.digest)
        return engine


def _compile(bundle: PolicyBundle) -> _Engine:
    import regorus

    engine: _Engine = regorus.Engine()
    try:
        for path in sorted(bundle.modules):
            engine.add_policy(path, bundle.modules[path])
        engine.add_data_json(json.dumps(dict(bundle.data), allow_nan=False))
    except (RuntimeError, ValueError, TypeError) as error:
        raise _invalid("does not compile", error) from error
    return engine


def _invalid(what: str, error: Exception) -> PolicyEnforcementError:
    # The binding's messages end in a stack trace of its own.
    message = str(error).split("Stack backtrace:", 1)[0].strip()
    return PolicyEnforcementError(f"the policy {what}: {message[:2000]}")
