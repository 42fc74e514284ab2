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


class _Compiled(threading.local):
    """What each thread has compiled, by bundle digest, the most recently used last.

    A regorus engine may be used, and even dropped, only in the thread that made it (elsewhere the binding panics).
    So it hangs on nothing that another thread's garbage collector could free: the thread's end frees it.
    """

    def __init__(self) -> None:
        self.engines: OrderedDict[str, _Engine] = OrderedDict()


CAPACITY = 64
"""Bundles that a thread keeps compiled."""

_compiled = _Compiled()


class RegorusPolicyEngine:
    """Keeps `PolicyEngine`; compiles each bundle once a thread.

    An evaluation holds the event loop for as long as the policy computes: the shipped bundles take about a
    millisecond, and the service remembers decisions. The engine has no network built-ins. Input and plan cross as
    JSON, so that sets and numbers arrive as they do from an OPA server.
    """

    async def evaluate(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The bundle's plan; raise `POLICY_INVALID` if it does not compile, fails, or gives no object."""
        return self.evaluate_now(bundle, facts)

    def evaluate_now(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """`evaluate`, for who has no event loop."""
        try:
            plan = json.loads(_evaluated(bundle, json.dumps(facts, allow_nan=False)))
        except (RuntimeError, ValueError, PolicyEnforcementError) as error:
            # Without the frames below: they hold engines, and an error may be freed in any thread.
            error.with_traceback(None)
            if isinstance(error, PolicyEnforcementError):
                raise
            raise _invalid("could not be evaluated", error) from error
        if not isinstance(plan, dict):
            raise PolicyEnforcementError(f"{_RULE} is undefined or not an object")
        return plan


def _evaluated(bundle: PolicyBundle, facts: str) -> str:
    engine = _engine_of(bundle)
    engine.set_input_json(facts)
    return engine.eval_rule_as_json(_RULE)


def _engine_of(bundle: PolicyBundle) -> _Engine:
    engines = _compiled.engines
    engine = engines.get(bundle.digest)
    if engine is None:
        engine = engines[bundle.digest] = _compile(bundle)
        if len(engines) > CAPACITY:
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
        raise _invalid("does not compile", error.with_traceback(None)) from error
    return engine


def told_by(error: Exception) -> str:
    """What the binding says, without the stack trace of its own that it appends."""
    return str(error).split("Stack backtrace:", 1)[0].strip()[:2000]


def _invalid(what: str, error: Exception) -> PolicyEnforcementError:
    return PolicyEnforcementError(f"the policy {what}: {told_by(error)}")
