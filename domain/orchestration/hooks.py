"""Code of others that takes part in a request: before and after detection, and on the verdict.

A hook is bounded in time and in what it may change. What it breaks is told in the record's provenance, and the
request goes on as if the hook had not been there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import TypeVar

from llama_mapper.domain.contracts.base import ProvenanceEntry
from llama_mapper.domain.contracts.orchestration import (
    PROVENANCE_LIMIT,
    DetectorResult,
    OrchestrationRequest,
    OrchestrationResponse,
)

T = TypeVar("T")


class OrchestrationHook:
    """Base of hooks: override what is needed. One object serves all requests at the same time, and keeps no content."""

    @property
    def name(self) -> str:
        """By which it is told in records: letters, digits and `_.-`."""
        return type(self).__name__

    @property
    def version(self) -> str:
        """Of the hook."""
        return "0"

    async def before_detection(self, request: OrchestrationRequest) -> OrchestrationRequest:
        """The request to go on with: content, messages and tenant must stay as they are."""
        return request

    async def after_detection(
        self, request: OrchestrationRequest, results: tuple[DetectorResult, ...]
    ) -> Sequence[DetectorResult]:
        """The results to judge: the same detectors in the same order; findings and metadata may differ."""
        return results

    async def on_verdict(self, response: OrchestrationResponse) -> None:
        """Told of every answer before it leaves."""


class _Refused(Exception):
    """A hook gave what it must not give."""


class Hooks:
    """Runs hooks one after the other, each within `timeout_s` seconds a step."""

    def __init__(self, hooks: Sequence[OrchestrationHook] = (), timeout_s: float = 0.25) -> None:
        self._hooks = tuple(hooks)
        self._timeout_s = timeout_s

    def __bool__(self) -> bool:
        return bool(self._hooks)

    @property
    def fingerprint(self) -> str:
        """Equal in every process in which the same hooks take part."""
        return " ".join(f"{hook.name}@{hook.version}" for hook in self._hooks)

    async def before(self, request: OrchestrationRequest, told: list[ProvenanceEntry]) -> OrchestrationRequest:
        """The request after every hook; each step is added to `told`."""
        for hook in self._hooks:
            work, check = partial(hook.before_detection, request), _same_content(request)
            given = await self._run(hook, "before_detection", work, told, check)
            request = request if given is None else given
        return request

    async def after(
        self, request: OrchestrationRequest, results: tuple[DetectorResult, ...], told: list[ProvenanceEntry]
    ) -> tuple[DetectorResult, ...]:
        """The results after every hook; each step is added to `told`."""
        for hook in self._hooks:
            work, check = partial(hook.after_detection, request, results), _same_detectors(results)
            given = await self._run(hook, "after_detection", work, told, check)
            if given is not None:
                results = tuple(
                    old if new is old else old.model_copy(update={"findings": new.findings, "metadata": new.metadata})
                    for old, new in zip(results, given, strict=True)
                )
        return results

    async def verdict(self, response: OrchestrationResponse) -> OrchestrationResponse:
        """The response, with what became of the hooks that were told of it."""
        told: list[ProvenanceEntry] = []
        for hook in self._hooks:
            await self._run(hook, "on_verdict", partial(hook.on_verdict, response), told, lambda _: None)
        return response.model_copy(update={"provenance": (*response.provenance, *told)[:PROVENANCE_LIMIT]})

    async def _run(
        self,
        hook: OrchestrationHook,
        step: str,
        work: Callable[[], Awaitable[T]],
        told: list[ProvenanceEntry],
        check: Callable[[T], None],
    ) -> T | None:
        began = monotonic()
        given: T | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                given = await work()  # here, for one that is no coroutine breaks when it is called
            check(given)
            became = "done"
        except TimeoutError:
            given, became = None, f"no answer within {self._timeout_s * 1e3:.0f} ms"
        except _Refused as error:
            given, became = None, f"refused: {error}"
        except Exception as error:  # its text may quote the content
            given, became = None, f"failed: {type(error).__name__}"
        told.append(
            ProvenanceEntry(
                stage="orchestration",
                component=f"hook:{hook.name}",
                version=hook.version,
                duration_ms=(monotonic() - began) * 1e3,
                detail=f"{step} {became}",
            )
        )
        return given


def _same_content(request: OrchestrationRequest) -> Callable[[OrchestrationRequest], None]:
    def check(given: OrchestrationRequest) -> None:
        if not isinstance(given, OrchestrationRequest):
            raise _Refused("not a request")
        if (given.content, given.messages) != (request.content, request.messages):
            raise _Refused("it changed the content")
        if given.tenant_id != request.tenant_id:
            raise _Refused("it changed the tenant")

    return check


def _same_detectors(results: Sequence[DetectorResult]) -> Callable[[Sequence[DetectorResult]], None]:
    def check(given: Sequence[DetectorResult]) -> None:
        if not isinstance(given, tuple | list) or not all(isinstance(each, DetectorResult) for each in given):
            raise _Refused("not results")
        if [each.detector for each in given] != [each.detector for each in results]:
            raise _Refused("it changed which detectors answered")

    return check


NO_HOOKS = Hooks()
