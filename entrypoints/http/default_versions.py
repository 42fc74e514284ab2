"""Bodies and answers of callers that name no version: in the version that is in force for them, counted on trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from llama_mapper.domain.contracts.evolution.defaults import Speaker, Spoken
from llama_mapper.domain.contracts.evolution.versions import SchemaVersions
from llama_mapper.domain.kernel.ids import new_id
from llama_mapper.domain.kernel.tenancy import Principal
from llama_mapper.domain.kernel.trace import CURRENT_TRACE
from llama_mapper.domain.mapping.releases.tally import Outcome
from llama_mapper.entrypoints.http.profiles import Schemas, in_version, is_document, upgraded_body
from llama_mapper.entrypoints.schema_defaults import SchemaDefaults

EXCHANGE = "llama_mapper.exchange"
"""The key of an ASGI scope under which the exchange stands."""


class SpokenVersions:
    """The documents of one operation, and their versions."""

    def __init__(
        self,
        requests: Sequence[type[BaseModel]],
        responses: Mapping[int, Sequence[type[BaseModel]]],
        schemas: Schemas,
        defaults: SchemaDefaults | None,
    ) -> None:
        self._schemas = schemas
        self._defaults = defaults
        self._requests = tuple(model.__name__ for model in requests)
        self._responses = {status: tuple(each.__name__ for each in models) for status, models in responses.items()}
        self._published: frozenset[str] | None = None

    def begin(self, scope: Scope, principal: Principal, *, is_named: bool) -> Exchange | None:
        """What a request comes to; None where no version has to be chosen for it."""
        if self._published is None:
            known = {one.model for one in self._schemas().all()}
            self._published = frozenset(known & {*self._requests, *(n for ns in self._responses.values() for n in ns)})
        if not self._published:
            return None
        defaults = None if principal.over_link else self._defaults  # between contexts only the newest is spoken
        exchange = Exchange(self, self._schemas(), defaults, speaker_of(principal), is_named=is_named)
        scope[EXCHANGE] = exchange
        return exchange

    def request_model(self, document: bytes) -> str | None:
        """The published schema that a body is of, if it is one's."""
        return self._of(self._requests, document)

    def answer_model(self, status: int, document: bytes) -> str | None:
        """The published schema that an answer is of, if it is one's."""
        return self._of(self._responses.get(status, ()), document)

    @property
    def only_answer(self) -> str | None:
        """The published schema that every answer is of, if there is one such."""
        names = {name for names in self._responses.values() for name in names}
        return next(iter(names)) if len(names) == 1 and names <= (self._published or set()) else None

    def _of(self, names: tuple[str, ...], document: bytes) -> str | None:
        published = [name for name in names if name in (self._published or ())]
        if not published or len(names) == 1:
            return published[0] if published else None
        try:
            keys = orjson.loads(document).keys()
        except (orjson.JSONDecodeError, AttributeError):
            return None
        return next((name for name in published if _fits(self._schemas().newest(name).schema, keys)), None)


class Exchange:
    """One request and its answer."""

    __slots__ = ("_began", "_body", "_defaults", "_is_named", "_of", "_speaker", "_versions")

    def __init__(
        self,
        of: SpokenVersions,
        versions: SchemaVersions,
        defaults: SchemaDefaults | None,
        speaker: Speaker,
        *,
        is_named: bool,
    ) -> None:
        self._of = of
        self._versions = versions
        self._defaults = defaults
        self._speaker = speaker
        self._is_named = is_named
        self._body: Spoken | None = None
        self._began = perf_counter()

    def newest_of(self, body: bytes) -> bytes:
        """A body whose version nobody named, as the newest."""
        defaults = self._defaults
        if defaults is None:
            return body
        model = self._of.request_model(body)
        if model is None:
            return body
        spoken = defaults.now.spoken(model, self._speaker)
        self._body = spoken if spoken.release_id is not None else None
        return upgraded_body(model, spoken.major, body, self._versions)

    def answer(self, response: Response) -> Response:
        """The answer in the version for this caller, which `Link` names."""
        self.ended(response.status_code)
        if self._is_named or not is_document(response):
            return response
        body = bytes(response.body)
        model = self._of.answer_model(response.status_code, body)
        if model is None:
            return response
        defaults = self._defaults
        if defaults is None:
            return in_version(response, model, self._versions.newest(model).version.major, self._versions)
        spoken = defaults.now.spoken(model, self._speaker)
        if spoken.release_id is None:
            return in_version(response, model, spoken.major, self._versions)
        return self._on_trial(response, model, spoken, defaults)

    def ended(self, status: int) -> None:
        """Count a body on trial (a refusal, 400, is of one that did not keep its version), and a failure (5xx)."""
        defaults, has_failed = self._defaults, status >= 500
        if defaults is None:
            return
        if self._body is not None:
            outcome = Outcome(1, failed=has_failed, invalid=int(status == 400), latency_ms=self._latency_ms())
            defaults.count(self._body, outcome)
            self._body = None
        model = self._of.only_answer if has_failed and not self._is_named else None
        if model is not None:
            defaults.count(defaults.now.spoken(model, self._speaker), Outcome(0, failed=True))

    def _on_trial(self, response: Response, model: str, spoken: Spoken, defaults: SchemaDefaults) -> Response:
        """The answer counted; in the version beside, where the one on trial cannot be made or breaks its schema."""
        try:
            answer = in_version(response, model, spoken.major, self._versions)
            keeps, failed = defaults.keeps(model, spoken.major, orjson.loads(bytes(answer.body))), False
        except Exception:  # a version on trial may do anything; what it did is counted, and the caller answered
            answer, keeps, failed = response, False, True
        defaults.count(spoken, Outcome(1, failed=failed, invalid=int(not keeps), latency_ms=self._latency_ms()))
        if keeps or spoken.otherwise is None:
            return answer
        return in_version(response, model, spoken.otherwise, self._versions)

    def _latency_ms(self) -> float:
        return (perf_counter() - self._began) * 1e3


def speaker_of(principal: Principal) -> Speaker:
    """Who asks, for the split of the traffic."""
    trace = CURRENT_TRACE.get()
    request = new_id("request") if trace is None else trace.trace_id
    return Speaker(principal.tenant_id, principal.key_id or principal.name, request)


def exchange_of(request: Request) -> Exchange | None:
    """The exchange that a request is part of."""
    found = request.scope.get(EXCHANGE)
    return found if isinstance(found, Exchange) else None


def _fits(schema: Mapping[str, Any], keys: Any) -> bool:
    return set(schema.get("required", ())) <= set(keys) <= set(schema.get("properties", ()))
