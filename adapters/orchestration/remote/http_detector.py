"""A detector behind HTTP: one answer in bounded time and memory, every way to fail translated."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from llama_mapper.adapters.orchestration.remote.answers import malformed, parse
from llama_mapper.adapters.orchestration.remote.dialect import Dialect, Question
from llama_mapper.adapters.platform.http_calls import open_http_client, retry_after
from llama_mapper.adapters.platform.http_steps import heed_status, http_step
from llama_mapper.domain.contracts.detectors import Credential, DetectorDefinition
from llama_mapper.domain.kernel.trace import CURRENT_TRACE
from llama_mapper.domain.orchestration.ports import (
    DetectorDescriptor,
    DetectorFailed,
    DetectorTimeout,
    DetectorUnavailable,
    Inquiry,
    Inspection,
    NoAnswer,
    RawFinding,
)
from llama_mapper.domain.orchestration.registry.model import digest_of

if TYPE_CHECKING:
    import aiohttp

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer that are read at the most."""

_PROBE_S = 2.0
_PROBE_BYTES = 65_536
_CONNECTIONS = 1024
_BUSY = frozenset({429, 503})


def open_detector_client() -> aiohttp.ClientSession:
    """The pooled client that all remote detectors of this event loop share; close it with `close`."""
    return open_http_client(_CONNECTIONS)


class HttpDetector:
    """Keeps `ProbedDetector` for one definition, in the protocol that `dialect` tells.

    One `inspect` is one attempt: retries, hedging and breakers are around it. It raises

    - `DetectorTimeout` (`DETECTOR_TIMEOUT`, retryable) where `timeout_ms` or the inquiry's deadline passed;
    - `DetectorUnavailable`, retryable: `DETECTOR_UNREACHABLE` for no connection or a broken one, `DETECTOR_BUSY` for
      the statuses 429 and 503 with the wait that `Retry-After` gives; not retryable: `DETECTOR_CREDENTIAL_MISSING`;
    - `DetectorFailed`, retryable: `DETECTOR_SERVER_ERROR` for other statuses from 500; not retryable:
      `DETECTOR_REJECTED` for all others but 2xx, `DETECTOR_ANSWER_TOO_LARGE`, `DETECTOR_MALFORMED_ANSWER`.

    No message quotes the content or the answer.
    """

    def __init__(
        self,
        definition: DetectorDefinition,
        dialect: Dialect,
        client: aiohttp.ClientSession,
        answer_limit: int = ANSWER_LIMIT,
    ) -> None:
        self._descriptor = descriptor_of(definition)
        self._dialect = dialect
        self._client = client
        self._timeout_s = definition.timeout_ms / 1e3
        self._answer_limit = answer_limit
        self._credential = definition.credential
        self._headers = {**definition.headers, **dialect.headers, "content-type": "application/json"}

    @property
    def descriptor(self) -> DetectorDescriptor:
        """What the definition says."""
        return self._descriptor

    @property
    def readiness(self) -> str | None:
        """Why it cannot be asked: the credential that it needs is not there."""
        credential = self._credential
        return None if credential is None or os.environ.get(credential.env) else _missing(credential)

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """Ask the service; several questions are asked at once, and each must be answered."""
        until = min(inquiry.deadline, monotonic() + self._timeout_s)
        questions = self._dialect.ask(inquiry)
        if len(questions) == 1:
            return Inspection(await self._answer(questions[0], until))
        tasks = [asyncio.create_task(self._answer(question, until)) for question in questions]
        try:
            answers = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        return Inspection(tuple([finding for answer in answers for finding in answer]))

    async def probe(self) -> None:
        """Ask the service's health; raise `NoAnswer` where it gives no good sign within 2 s."""
        probe, headers = self._dialect.probe, self._sent_headers()
        async with (
            _translated(monotonic() + _PROBE_S),
            self._client.get(probe.url, headers=headers, allow_redirects=False) as response,
        ):
            if response.status not in probe.also_alive:
                _check_status(response)
            read = 0
            async for part in response.content.iter_any():  # to its end, so that the connection can be used again
                read += len(part)
                if read > _PROBE_BYTES:
                    break

    async def _answer(self, question: Question, until: float) -> tuple[RawFinding, ...]:
        import orjson

        try:
            body = orjson.dumps(question.body)
        except orjson.JSONEncodeError as error:
            raise DetectorFailed("the text cannot be sent: it is not valid Unicode", "DETECTOR_REJECTED") from error
        try:
            return question.read(parse(await self._post(body, until)))
        except NoAnswer as error:
            if not question.subject:
                raise
            raise type(error)(
                f"{question.subject}: {error}",
                error.code,
                error.notes,
                retryable=error.retryable,
                retry_after_s=error.retry_after_s,
            ) from error

    async def _post(self, body: bytes, until: float) -> bytes:
        with http_step("POST", self._dialect.url) as at:
            try:
                headers = self._sent_headers()
                async with (
                    _translated(until),
                    self._client.post(self._dialect.url, data=body, headers=headers, allow_redirects=False) as response,
                ):
                    heed_status(at, response.status)
                    _check_status(response)
                    return await self._content(response)
            except NoAnswer as error:
                at.fail(error.code)
                raise

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise malformed("it is compressed, which was not asked for")
        told = response.headers.get("content-length", "")
        if told.isascii() and told.isdecimal() and int(told[:20]) > self._answer_limit:
            raise self._too_large()
        content = bytearray()
        async for part in response.content.iter_any():
            content += part
            if len(content) > self._answer_limit:
                raise self._too_large()
        return bytes(content)

    def _too_large(self) -> DetectorFailed:
        return DetectorFailed(f"the answer has more than {self._answer_limit} bytes", "DETECTOR_ANSWER_TOO_LARGE")

    def _sent_headers(self) -> Mapping[str, str]:
        headers, trace, credential = self._headers, CURRENT_TRACE.get(), self._credential
        if trace is not None:
            headers = {**headers, **trace.headers}
        if credential is not None:
            secret = os.environ.get(credential.env, "")
            if not secret:
                raise DetectorUnavailable(_missing(credential), "DETECTOR_CREDENTIAL_MISSING")
            if not (secret.isascii() and secret.isprintable()):
                raise DetectorUnavailable(
                    f"the credential in {credential.env} has characters that no header can carry",
                    "DETECTOR_CREDENTIAL_MISSING",
                )
            headers = {**headers, credential.header: credential.prefix + secret}
        return headers


def descriptor_of(definition: DetectorDefinition) -> DetectorDescriptor:
    """What the detector of this definition declares."""
    return DetectorDescriptor(
        name=definition.name,
        vendor=definition.vendor,
        vendor_version=definition.vendor_version,
        categories=definition.categories,
        labels=(),
        languages=definition.languages,
        cost_ms_per_kchar=0.0,
        vocabulary=definition.vocabulary,
        granularity=definition.granularity,
        remote=True,
        revision=digest_of(definition),
    )


def _missing(credential: Credential) -> str:
    return f"its credential is not there: the environment variable {credential.env} is not set"


@asynccontextmanager
async def _translated(until: float) -> AsyncIterator[None]:
    """Bound what is done by the clock of `monotonic`, and turn the driver's errors into the port's."""
    import aiohttp

    left = until - monotonic()
    if left <= 0:
        raise DetectorTimeout("no time was left to ask it", retryable=False)
    try:
        async with asyncio.timeout(left):
            yield
    except TimeoutError as error:
        raise DetectorTimeout(f"no answer within {left * 1e3:.0f} ms", retryable=True) from error
    except (aiohttp.InvalidURL, ValueError) as error:
        raise DetectorFailed(f"it cannot be called ({type(error).__name__})", "DETECTOR_REJECTED") from error
    except aiohttp.ClientError as error:
        message = f"it cannot be reached ({type(error).__name__})"
        raise DetectorUnavailable(message, "DETECTOR_UNREACHABLE", retryable=True) from error


def _check_status(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    message = f"it answered with status {status}"
    if status in _BUSY:
        wait = retry_after(response.headers.get("retry-after", ""))
        raise DetectorUnavailable(message, "DETECTOR_BUSY", retryable=True, retry_after_s=wait)
    if status >= 500:
        raise DetectorFailed(message, "DETECTOR_SERVER_ERROR", retryable=True)
    raise DetectorFailed(message, "DETECTOR_REJECTED")
