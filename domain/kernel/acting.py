"""How one context tells another for whom it passes a request on."""

from __future__ import annotations

import base64
import json

from llama_mapper.domain.kernel.errors import AuthenticationError
from llama_mapper.domain.kernel.tenancy import Principal, Scope

HEADER = "llama-mapper-acting-for"
"""Believed of whoever shows the link secret, and of nobody else."""

_LONGEST = 8192


def written(principal: Principal) -> str:
    """The header's value: base64url of a JSON object, so that any name fits a header."""
    told = {
        "name": principal.name,
        "tenant_id": principal.tenant_id,
        "scopes": sorted(principal.scopes),
        "key_id": principal.key_id,
        "keyless": principal.keyless,
    }
    return base64.urlsafe_b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()


def read(value: str) -> Principal:
    """Who is acted for; raise `UNAUTHORIZED` if the value is none that `written` gives."""
    try:
        told = json.loads(base64.b64decode(value, altchars=b"-_", validate=True)) if len(value) <= _LONGEST else {}
        name, key_id, keyless = told["name"], told["key_id"], told["keyless"]
        if not (isinstance(name, str) and isinstance(keyless, bool) and (key_id is None or isinstance(key_id, str))):
            raise TypeError
        scopes = frozenset(map(Scope, told["scopes"]))
        return Principal(name, told["tenant_id"], scopes, key_id, keyless=keyless, over_link=True)
    except (ValueError, KeyError, TypeError) as error:
        raise AuthenticationError(f"the header {HEADER} is malformed") from error
