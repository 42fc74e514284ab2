"""Who changes a tenant's catalogue through HTTP, and what the operations that do so share."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.requests import Request

from llama_mapper.domain.contracts.curation import Curator
from llama_mapper.domain.contracts.policies import Door
from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope
from llama_mapper.entrypoints.http.operations import Handler, Operation, QueryParameter

IF_VERSION = QueryParameter(
    "if_version",
    "Refuse unless this is the version that stands; 0: unless there is none.",
    {"type": "integer", "minimum": 0, "maximum": 2_000_000_000},
)
NUMBER = QueryParameter(
    "version", "A version; without it, the newest.", {"type": "integer", "minimum": 1, "maximum": 2_000_000_000}
)
NOTE = QueryParameter(
    "note", "Why, for the record.", {"type": "string", "maxLength": 512, "pattern": r"^[^\x00-\x1f\x7f]*$"}
)


def curator_of(principal: Principal) -> Curator:
    """Who decides, by the credential; raise `INVALID_REQUEST` for a name that records cannot hold."""
    role = "keyless" if principal.keyless else "admin" if Scope.ADMIN in principal.scopes else "member"
    try:
        return Curator(name=principal.name, door=Door.HTTP, role=role, keyless=principal.keyless)
    except ValueError:
        raise ValidationError(
            "the API key's name has control characters or more than 128 characters; use a key that names a person"
        ) from None


def whole_number(query: Mapping[str, str], name: str, *, least: int = 0, most: int = 2_000_000_000) -> int | None:
    """The query parameter as a number; None where it is absent."""
    text = query.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not least <= int(text[:12]) <= most:
        raise ValidationError(f"{name} is a whole number from {least} to {most}")
    return int(text)


def note_of(request: Request) -> str:
    """The query parameter `note`."""
    note: str = request.query_params.get("note", "")
    if len(note) > 512 or any(ord(each) < 0x20 or ord(each) == 0x7F for each in note):
        raise ValidationError("note has at most 512 characters, and no control characters")
    return note


def named(request: Request, name: str) -> str:
    """A path parameter."""
    value: str = request.path_params[name]
    if not value or len(value) > 128 or "\x00" in value:
        raise ValidationError(f"the {name} has 1 to 128 characters, and no NUL")
    return value


def matching(value: str, pattern: str, what: str) -> str:
    """The value, if it has this form; raise `INVALID_REQUEST` otherwise."""
    import re

    if not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value):
        raise ValidationError(what)
    return value


def curated(
    tag: str,
    name: str,
    method: str,
    path: str,
    summary: str,
    handler: Handler,
    answer: type[BaseModel],
    *,
    body: type[BaseModel] | None = None,
    errors: tuple[ErrorCode, ...] = (),
    query: tuple[QueryParameter, ...] = (),
    example: dict[str, object] | None = None,
) -> Operation:
    """An operation on a tenant's catalogue: read with the scope `read`, changed with the scope `admin`."""
    return Operation(
        id=name,
        method=method,
        path=path,
        tag=tag,
        summary=summary,
        scope=Scope.READ if method == "GET" else Scope.ADMIN,
        handler=handler,
        requests=() if body is None else (body,),
        responses={200: (answer,)},
        errors=errors,
        query=query,
        example=example,
    )
