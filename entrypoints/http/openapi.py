"""The OpenAPI 3.1 document, made from the operations and the contracts' JSON schemas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from llama_mapper.entrypoints.http.idempotency import HEADER, KEY_PATTERN, REPLAYED
from llama_mapper.entrypoints.http.operations import Operation
from llama_mapper.entrypoints.http.problems import PROBLEM_TYPE, STATUS, Problem

_MEANING = {
    202: "Accepted: it runs in the background.",
    206: "The answer; coverage is below the policy's threshold.",
}
_LONGEST = {"path": 256}
_REF = "#/components/schemas/{model}"

_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A value of the caller's own choosing for this request. The same key with the same body is answered "
    f"alike, with `{REPLAYED}: true`, and carried out once; with another body it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": KEY_PATTERN},
}
_REPLAYED_HEADER = {
    REPLAYED: {"description": "`true` where this is the answer to an earlier request.", "schema": {"const": "true"}}
}
_LIMIT_HEADERS = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "RateLimit-Policy": {"description": "Each limit: quota `q` in `w` seconds.", "schema": {"type": "string"}},
    "RateLimit": {"description": "Each limit: `r` remain for `t` seconds.", "schema": {"type": "string"}},
}


def openapi_document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The document of these operations; the same operations give the same document."""
    models: set[tuple[type[BaseModel], Literal["validation", "serialization"]]] = {
        *((model, "validation") for operation in operations for model in operation.requests),
        *(
            (model, "serialization")
            for operation in operations
            for answers in operation.responses.values()
            for model in answers
        ),
        *((operation.error_form.model, "serialization") for operation in operations if operation.error_form),
        (Problem, "serialization"),
    }
    ordered = sorted(models, key=lambda pair: (pair[0].__name__, pair[1]))
    names, schemas = models_json_schema(ordered, ref_template=_REF)
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "llama-mapper",
            "version": version,
            "description": "Runs content detectors and returns one record: findings, risk, canonical labels, "
            "framework controls and signed evidence. Content is never kept.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `lm_…`."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{"bearer": []}, {"apiKey": []}, {}],
    }


def _operation(operation: Operation, names: dict[Any, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"Needs the scope `{operation.scope.value}`.",
        "responses": {
            str(status): {
                "description": _MEANING.get(status, "The answer."),
                "content": {operation.response_media_type: {"schema": _one_of(models, names, "serialization")}},
            }
            for status, models in operation.responses.items()
        },
    }
    form = operation.error_form
    problem = {PROBLEM_TYPE: {"schema": names[(Problem, "serialization")]}}
    if form is not None:
        problem = {"application/json": {"schema": names[(form.model, "serialization")]}}
    codes: dict[int, list[str]] = {}
    for code in operation.all_errors:
        codes.setdefault(STATUS[code] if form is None else form.status(code), []).append(code.value)
    for status in sorted(codes):
        document["responses"][str(status)] = {
            "description": ", ".join(f"`{code}`" for code in sorted(set(codes[status]))),
            "content": problem,
        }
    if operation.requests:
        media: dict[str, Any] = {"schema": _one_of(operation.requests, names, "validation")}
        if operation.example:
            media["example"] = operation.example
        document["requestBody"] = {"required": True, "content": {operation.request_media_type: media}}
    if operation.binary_request:
        document["requestBody"] = {"required": True, "content": {operation.request_media_type: {"schema": {}}}}
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "maxLength": _LONGEST.get(name, 128)},
        }
        for name in _path_parameters(operation.path)
    ]
    parameters += [
        {"name": q.name, "in": "query", "required": q.required, "description": q.description, "schema": q.schema}
        for q in operation.query
    ]
    parameters += [
        {"name": h.name, "in": "header", "required": h.required, "description": h.description, "schema": h.schema}
        for h in operation.headers
    ]
    if operation.idempotent:
        parameters.append(_IDEMPOTENCY_KEY)
        for status in operation.responses:
            document["responses"][str(status)]["headers"] = _REPLAYED_HEADER
    document["responses"]["429"]["headers"] = _LIMIT_HEADERS
    if parameters:
        document["parameters"] = parameters
    return document


def _one_of(models: Sequence[type[BaseModel]], names: dict[Any, Any], mode: str) -> Any:
    refs = [names[(model, mode)] for model in models]
    return refs[0] if len(refs) == 1 else {"oneOf": refs}


def _path_parameters(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)
