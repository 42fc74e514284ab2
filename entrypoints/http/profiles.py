"""Which version of a schema a caller speaks: the `profile` of a media type (RFC 6906).

`Content-Type: application/json; profile="urn:llama-mapper:schema:MappingRequest:1"` says which version a body is of,
the same in `Accept` which version the answer has to be of. Without a profile both are of the default version.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.message import Message
from functools import cache

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
        if not is_document(response):
            return response
        response = in_version(response, self.model, self.major, self.versions)
        response.headers["content-type"] = f'application/json; profile="{schema_name(self.model, self.major)}"'
        return response


def schema_name(model: str, major: int) -> str:
    """The name of a major version."""
    return f"urn:llama-mapper:schema:{model}:{major}"


def is_document(response: Response) -> bool:
    """Whether an answer is a success in JSON, which has a schema."""
    if response.status_code >= 300:
        return False
    media_type = response.media_type or response.headers.get("content-type", "").partition(";")[0]
    return media_type == "application/json"


def in_version(response: Response, model: str, major: int, versions: SchemaVersions) -> Response:
    """An answer in a version of its schema, which `Link` names; the newest is the answer itself."""
    if major != versions.newest(model).version.major:
        document = orjson.loads(bytes(response.body))
        body = orjson.dumps(versions.downgraded(model, major, document))
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        response = Response(body, response.status_code, headers)
    others = [header for header in response.raw_headers if header[0] != b"link"]
    response.raw_headers[:] = [*others, (b"link", _link(model, major))]  # in place: `response.headers` looks into it
    return response


@cache
def _link(model: str, major: int) -> bytes:
    return f'<{schema_name(model, major)}>; rel="profile"'.encode()


def answer_version(scope: Scope, models: Collection[str], schemas: Schemas) -> AnswerVersion | None:
    """The version that `Accept` names for an answer that is one of `models`; None where it names none.

    Raise `SCHEMA_UNKNOWN` for a version that is not served or for another model, `INVALID_REQUEST` for a profile
    that is no schema's name.
    """
    accept = header_of(scope, b"accept")
    if accept is None or "profile" not in accept:
        return None
    profiles = [profile for part in accept.split(",") if (profile := profile_of(part)) is not None]
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
    profile = profile_of(content_type)
    if profile is None:
        return body
    model, major = named_schema(profile)
    versions = schemas()
    versions.upgraded(model, major, {})  # is it served?
    return upgraded_body(model, major, body, versions)


def upgraded_body(model: str, major: int, body: bytes, versions: SchemaVersions) -> bytes:
    """A body of a served version as the newest; what is no JSON stays as it is: the contract's own check says it."""
    if major == versions.newest(model).version.major:
        return body
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    return orjson.dumps(versions.upgraded(model, major, document))


def profile_of(media_type: str) -> str | None:
    """The `profile` of a media type."""
    message = Message()
    message["content-type"] = media_type.strip()
    found = message.get_param("profile")
    return found if isinstance(found, str) else None
