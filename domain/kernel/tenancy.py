"""Who owns data. A tenant comes from a credential, never from a request body alone."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError

TENANT_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
LOCAL_TENANT = "local"
EVERYONE = "*"
"""Owns what holds for all tenants. No tenant id looks like this, so that no credential can ever act for it."""

_TENANT = re.compile(TENANT_PATTERN)


class Scope(StrEnum):
    """What a credential permits."""

    ASSESS = "assess"
    READ = "read"
    ADMIN = "admin"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: a credential's name, its tenant and its scopes.

    A principal with scope `internal` is another context of this product and acts for the tenant its request names.
    `keyless` says that nobody showed a credential: the installation has none, and the name proves nothing.
    """

    name: str
    tenant_id: str
    scopes: frozenset[Scope]
    key_id: str | None = field(default=None, compare=False)
    """The API key's id, by which its requests are counted; None where the caller has no API key."""
    keyless: bool = False
    over_link: bool = field(default=False, compare=False)
    """Whether another context of this product passes the request on; its door has counted it already."""

    def __post_init__(self) -> None:
        if not _TENANT.fullmatch(self.tenant_id):
            raise ValueError("a tenant id is 1 to 63 of a-z, 0-9, '-' and '_', starting with a letter or digit")

    def require(self, scope: Scope) -> None:
        """Raise `INSUFFICIENT_RBAC` unless the principal holds `scope`; `internal` holds assess and read."""
        if scope in self.scopes or (Scope.INTERNAL in self.scopes and scope is not Scope.ADMIN):
            return
        raise AuthorizationError(f"this credential lacks the scope '{scope}'")

    def tenant_for(self, named: str | None) -> str:
        """The tenant to act for, given the one a request names; raise `TENANT_MISMATCH` if it names another.

        A principal with scope `internal` has none of its own: raise `INVALID_REQUEST` unless the request names one.
        """
        if Scope.INTERNAL in self.scopes:
            if named is None:
                raise ValidationError("a request over a link must name the tenant that it is for")
            return named
        if named is None or named == self.tenant_id:
            return self.tenant_id
        raise AuthorizationError("the request names another tenant than the credential's", ErrorCode.TENANT_MISMATCH)

    def key_name_for(self, tenant_id: str) -> str | None:
        """The name of the API key that acts for `tenant_id`; None if it is another's, a link's, or nobody's."""
        if self.keyless or self.tenant_id != tenant_id or Scope.INTERNAL in self.scopes:
            return None
        return self.name


CURRENT_PRINCIPAL: ContextVar[Principal | None] = ContextVar("llama_mapper_principal", default=None)
"""Who is calling, as the door has authenticated it; None where nobody was asked for a credential.

Set by doors alone, and again where a job goes on with what a door took in. It is no field of a request, so that no
caller can claim to be another.
"""
