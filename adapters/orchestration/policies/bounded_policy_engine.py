"""Policies within a limit: what we ship runs in this process, everything else in one that can be ended."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from llama_mapper.adapters.orchestration.policies.rego_child import Message
from llama_mapper.adapters.orchestration.policies.rego_process import PolicyProcessLost, PolicyTooSlow, RegoProcess
from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.ports import PolicyBundle

MEMORY_BYTES = 1 << 30
_REFUSED_S = 60.0
_REMEMBERED = 1024


class BoundedPolicyEngine:
    """Keeps `PolicyEngine`; no policy holds the event loop, and none computes longer than `limit_s` seconds.

    `trusted` are digests of bundles that need no limit: the shipped ones. A bundle that went beyond its time or memory
    is refused without another try for a minute, so that it cannot keep the others waiting.
    """

    def __init__(
        self,
        trusted: Collection[str],
        limit_s: float,
        *,
        memory_bytes: int = MEMORY_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trusted = frozenset(trusted)
        self._limit_s = limit_s
        self._monotonic = monotonic
        self._here = RegorusPolicyEngine()
        self._process = RegoProcess(limit_s, memory_bytes)
        self._refused: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def evaluate(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The bundle's plan; `POLICY_INVALID` if it does not compile, fails, takes too long or gives no object."""
        if bundle.digest in self._trusted:
            return await self._here.evaluate(bundle, facts)
        until, why = self._refused.get(bundle.digest, (0.0, ""))
        if until > self._monotonic():
            raise PolicyEnforcementError(why)
        try:
            answer = await asyncio.to_thread(self._ask, bundle, facts)
        except PolicyTooSlow as error:
            raise self._refuse(bundle, f"the policy computed longer than {self._limit_s:g} s") from error
        except PolicyProcessLost as error:
            raise self._refuse(bundle, "the policy broke its evaluator, or needed more memory than it may") from error
        except (TypeError, ValueError) as error:
            raise PolicyEnforcementError("the policy's data or facts are not JSON") from error
        if "invalid" in answer:
            raise PolicyEnforcementError(answer["invalid"])
        plan: dict[str, Any] = answer["plan"]
        return plan

    @property
    def pid(self) -> int | None:
        """Id of the process that evaluates, None while there is none."""
        return self._process.pid

    async def close(self) -> None:
        """End the process."""
        await asyncio.to_thread(self._process.close)

    def _ask(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Message:
        question = {"op": "evaluate", "digest": bundle.digest, "facts": facts}
        answer = self._process.ask(question)
        if "unknown" in answer:
            answer = self._process.ask(question | {"modules": dict(bundle.modules), "data": dict(bundle.data)})
        return answer

    def _refuse(self, bundle: PolicyBundle, why: str) -> PolicyEnforcementError:
        self._refused[bundle.digest] = (self._monotonic() + _REFUSED_S, why)
        if len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)
        return PolicyEnforcementError(why)
