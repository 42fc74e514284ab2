"""Which version of a schema a caller speaks: the `profile` of a media type (RFC 6906).

`Content-Type: application/json; profile="urn:llama-mapper:schema:MappingRequest:1"` says which version a body is of,
the same in `Accept` which version the answer has to be of. Without a profile both are of the newest version.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.message import Message

import orjson
from starlette.responses import Response
from starlette.types import Scope

from llama_mapper.domain.contracts.evolution.versions import SchemaVersions, named_schema
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.entrypoints.http.headers import header_of

Schemas = Callable[[], SchemaVersions]


@dataclass(frozen=True, slots=True)
class AnswerVersion:
    """The version that the answer has to be of."""

    model: str
    major: int
    versions: SchemaVersions

    def of(self, response: Response) -> Response:
        """The same answer in this version; errors and what is not JSON stay as they are."""
        media_type = response.headers.get("content-type", "")
        if response.status_code >= 300 or not media_type.startswith("application/json"):
            return response
        if self.major != self.versions.newest(self.model).version.major:
            document = orjson.loads(bytes(response.body))
            body = orjson.dumps(self.versions.downgraded(self.model, self.major, document))
            headers = {k: v for k, v in response.headers.items() if k not in ("content-length", "content-type")}
            response = Response(body, response.status_code, headers)
        name = f"urn:llama-mapper:schema:{self.model}:{self.major}"
        response.headers["content-type"] = f'application/json; profile="{name}"'
        return response


def answer_version(scope: Scope, models: Collection[str], schemas: Schemas) -> AnswerVersion | None:
    """The version that `Accept` names for an answer that is one of `models`; None where it names none.

    Raise `SCHEMA_UNKNOWN` for a version that is not served or for another model, `INVALID_REQUEST` for a profile
    that is no schema's name.
    """
    accept = header_of(scope, b"accept")
    if accept is None or "profile" not in accept:
        return None
    profiles = [profile for part in accept.split(",") if (profile := _profile(part)) is not None]
    if not profiles:
        return None
    named = [named_schema(profile) for profile in profiles]
    fitting = next(((model, major) for model, major in named if model in models), None)
    if fitting is None:
        listed = ", ".join(sorted(models)) or "no published schema"
        raise ValidationError(f"the answer is of {listed}, which the profile does not name", ErrorCode.SCHEMA_UNKNOWN)
    versions = schemas()
    versions.downgraded(*fitting, {})  # is it served?
    return AnswerVersion(*fitting, versions)


def newest_body(content_type: str, body: bytes, schemas: Schemas) -> bytes:
    """A body as the newest version of its schema, by the profile of its media type; the body itself without one.

    Raise `SCHEMA_UNKNOWN` for a version that is not served, `INVALID_REQUEST` for a profile that is no schema's name.
    """
    profile = _profile(content_type)
    if profile is None:
        return body
    model, major = named_schema(profile)
    versions = schemas()
    versions.upgraded(model, major, {})  # is it served?
    if major == versions.newest(model).version.major:
        return body
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body  # the contract's own check says it better
    return orjson.dumps(versions.upgraded(model, major, document))


def _profile(media_type: str) -> str | None:
    message = Message()
    message["content-type"] = media_type.strip()
    found = message.get_param("profile")
    return found if isinstance(found, str) else None
