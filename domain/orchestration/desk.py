"""Asks one detector at a time, for callers who choose it themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

from llama_mapper.domain.contracts.catalogue import CatalogueView
from llama_mapper.domain.contracts.orchestration import DetectorStatus, Finding, Message, OrchestrationRequest
from llama_mapper.domain.kernel.errors import (
    ErrorCode,
    LinkError,
    NotFoundError,
    OrchestrationError,
    ServiceError,
    ValidationError,
)
from llama_mapper.domain.orchestration.conversation import BETWEEN_MESSAGES, text_of
from llama_mapper.domain.orchestration.fanout import Call, FanOut
from llama_mapper.domain.orchestration.findings import FindingReader, MalformedAnswer
from llama_mapper.domain.orchestration.ports import Detector, TextDigests, Turn
from llama_mapper.domain.orchestration.roster import DetectorRoster, readiness_of

_AT_ONCE = 8


class DetectorDesk:
    """Keeps `DetectorDeskApi`.

    `content_limit` is in characters, for all texts of a call together; `timeout_s` is for a call as a whole. Detectors
    in other processes than ours are not asked: one of them could be this very service.
    """

    def __init__(
        self,
        roster: DetectorRoster,
        catalogue: CatalogueView,
        digests: TextDigests,
        content_limit: int,
        timeout_s: float,
    ) -> None:
        self._roster = roster
        self._reader = FindingReader(catalogue, digests)
        self._fan_out = FanOut()
        self._content_limit = content_limit
        self._timeout_s = timeout_s

    async def inspect(self, tenant_id: str, detector: str, texts: Sequence[str]) -> tuple[tuple[Finding, ...], ...]:
        """What it finds in each text; see `DetectorDeskApi`."""
        chosen, began = self._chosen(detector), monotonic()
        self._admit(sum(map(len, texts)))
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(text: str) -> tuple[Finding, ...]:
            if not text:
                return ()
            async with places:
                return await self._ask(tenant_id, chosen, text, (), began)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(text)) for text in texts]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return tuple(task.result() for task in tasks)

    async def inspect_messages(self, tenant_id: str, detector: str, messages: Sequence[Message]) -> tuple[Finding, ...]:
        """What it finds in a conversation; see `DetectorDeskApi`."""
        chosen, began = self._chosen(detector), monotonic()
        self._admit(sum(len(message.content) + len(BETWEEN_MESSAGES) for message in messages))
        if not messages:
            return ()
        text, turns = text_of(OrchestrationRequest(messages=tuple(messages)))
        return await self._ask(tenant_id, chosen, text, turns, began)

    def _chosen(self, name: str) -> Detector:
        detector = self._roster.detectors.get(name)
        if detector is None or detector.descriptor.remote:
            raise NotFoundError("there is no such detector here", ErrorCode.DETECTOR_NOT_FOUND)
        if (why := readiness_of(detector)) is not None:
            raise _unavailable(why)
        return detector

    def _admit(self, length: int) -> None:
        if length > self._content_limit:
            raise ValidationError(
                f"there are {length} characters; at most {self._content_limit} are judged", ErrorCode.CONTENT_TOO_LARGE
            )

    async def _ask(
        self, tenant_id: str, detector: Detector, text: str, turns: tuple[Turn, ...], began: float
    ) -> tuple[Finding, ...]:
        call = Call(detector.descriptor.name, detector, self._timeout_s)
        await self._fan_out.run([call], text, turns, began, self._timeout_s)
        if call.fault is not None:
            raise _refusal(call.status, call.fault.message)
        try:
            return self._reader.read(tenant_id, text, turns, detector.descriptor, {}, call.answer).findings
        except MalformedAnswer as error:
            raise _refusal(DetectorStatus.FAILED, str(error)) from None


def _unavailable(why: str) -> LinkError:
    return LinkError(f"the detector cannot be asked now: {why}")


def _refusal(status: DetectorStatus, why: str) -> ServiceError:
    if status in (DetectorStatus.TIMEOUT, DetectorStatus.SKIPPED):
        return OrchestrationError(f"the detector was too slow: {why}", ErrorCode.REQUEST_TIMEOUT, True)
    if status is DetectorStatus.UNAVAILABLE:
        return _unavailable(why)
    return LinkError(f"the detector broke: {why}", ErrorCode.UPSTREAM_INVALID_RESPONSE)
