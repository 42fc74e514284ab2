"""Any service that takes and gives JSON, by a mapping: a body with places to fill, JSONPath (RFC 9535) to read by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from llama_mapper.adapters.orchestration.remote.answers import finding, malformed, score_of
from llama_mapper.adapters.orchestration.remote.dialect import Dialect, Probe, Question, messages_of, origin_of
from llama_mapper.domain.contracts.detectors import LABEL_IS_KEY, DetectorDefinition, HttpJsonDetector
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import Inquiry, RawFinding

if TYPE_CHECKING:
    from jsonpath import JSONPath, JSONPathMatch

_ALIVE = range(300, 500)
"""Of a service that we know nothing about: it serves, whatever it says of its root."""


class Reading:
    """The mapping's paths, compiled once."""

    def __init__(self, protocol: HttpJsonDetector) -> None:
        self._scale = protocol.score_scale
        self._min_score = protocol.min_score
        self._clean = frozenset(protocol.clean_labels)
        self._findings = compiled(protocol.findings)
        self._holder = _holder_of(self._findings)
        self._label = None if protocol.label == LABEL_IS_KEY else compiled(protocol.label)
        self._score = None if protocol.score is None else compiled(protocol.score)
        self._start = None if protocol.start is None else compiled(protocol.start)
        self._end = None if protocol.end is None else compiled(protocol.end)

    def read(self, answer: Any, inquiry: Inquiry) -> tuple[RawFinding, ...]:
        """The findings at the mapping's nodes, without those whose label says that nothing was found."""
        from jsonpath import JSONPathError

        if not isinstance(answer, dict | list):
            raise malformed("it is neither an object nor a list")
        try:
            return self._found(answer, inquiry)
        except JSONPathError as error:  # nested too deeply for a path that descends
            raise malformed("its paths cannot be followed") from error

    def _found(self, answer: Any, inquiry: Inquiry) -> tuple[RawFinding, ...]:
        found = []
        if self._holder is not None:
            holders = [node.obj for node in self._holder.finditer(answer)]
            if not holders or not all(holder is None or isinstance(holder, dict | list) for holder in holders):
                raise malformed("there is nothing that could hold findings where they should be")
        for node in self._findings.finditer(answer):
            value = node.obj
            label = _key(node) if self._label is None else _one(self._label, value, "label")
            if isinstance(label, str) and label in self._clean:
                continue
            score = 1.0 if self._score is None else score_of(_one(self._score, value, "score"), self._scale)
            if score < self._min_score:
                continue
            start = None if self._start is None else _one(self._start, value, "start")
            end = None if self._end is None else _one(self._end, value, "end")
            found.append(finding(label, score, start, end, len(inquiry.text)))
        return tuple(found)


def dialect(definition: DetectorDefinition, protocol: HttpJsonDetector) -> Dialect:
    """`definition.url` is the whole address. Raises `CONFIGURATION_INVALID` for a path that is not RFC 9535."""
    reading, body_of = Reading(protocol), request_builder(protocol)

    def ask(inquiry: Inquiry) -> tuple[Question, ...]:
        return (Question(body_of(inquiry), partial(reading.read, inquiry=inquiry)),)

    return Dialect(definition.url, Probe(origin_of(definition.url), _ALIVE), ask)


def request_builder(protocol: HttpJsonDetector) -> Callable[[Inquiry], dict[str, Any]]:
    """What fills the body's places: strings that are exactly `{{text}}` or `{{messages}}`, at any depth.

    Text never becomes part of a longer string or of the structure, so content cannot change the request's shape.
    """

    def filled(template: Any, inquiry: Inquiry) -> Any:
        if template == "{{text}}":
            return inquiry.text
        if template == "{{messages}}":
            return messages_of(inquiry)
        if isinstance(template, dict):
            return {name: filled(value, inquiry) for name, value in template.items()}
        if isinstance(template, list):
            return [filled(value, inquiry) for value in template]
        return template

    return lambda inquiry: filled(dict(protocol.body), inquiry)


def compiled(path: str) -> JSONPath:
    """The path, strictly by RFC 9535."""
    try:
        from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
    except ImportError as error:
        raise ConfigurationError("detectors of kind http_json need the extra: llama-mapper[remote]") from error
    try:
        query = JSONPathEnvironment(strict=True).compile(path)
    except JSONPathError as error:
        raise ConfigurationError(f"'{path}' is not a JSONPath of RFC 9535") from error
    if not isinstance(query, JSONPath):
        raise ConfigurationError(f"'{path}' is not a single JSONPath")
    return query


def _holder_of(path: JSONPath) -> JSONPath | None:
    """Where the nodes of `path` are looked for: an answer without that place is another one, not one of no findings.

    None where the path descends to any depth, so that there is no one place.
    """
    from jsonpath import JSONPath
    from jsonpath.segments import JSONPathChildSegment

    segments = tuple(path.segments)
    if not segments or not all(isinstance(segment, JSONPathChildSegment) for segment in segments):
        return None
    return JSONPath(env=path.env, segments=segments[:-1])


def _key(node: JSONPathMatch) -> Any:
    """The name or index under which the node was found."""
    return str(node.parts[-1]) if node.parts else None


def _one(path: JSONPath, value: Any, what: str) -> Any:
    """The one value at `path`; None where a span is null or not there."""
    if not isinstance(value, dict | list):
        if str(path) == "$":
            return value
        raise malformed(f"a finding has no {what}")
    found = [node.obj for node in path.finditer(value)]
    if len(found) == 1:
        return found[0]
    if not found and what in ("start", "end"):
        return None
    raise malformed(f"a finding has {'no' if not found else 'more than one'} {what}")
