"""Whom a principal may act for, and what it may do."""

from __future__ import annotations

import pytest

from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.domain.kernel.tenancy import Principal, Scope

ALL = [Scope.ASSESS, Scope.READ, Scope.ADMIN, Scope.INTERNAL]


def principal(*scopes: Scope) -> Principal:
    return Principal("someone", "acme", frozenset(scopes))


@pytest.mark.parametrize("held", ALL)
@pytest.mark.parametrize("needed", ALL)
def test_a_scope_permits_itself_and_internal_permits_assess_and_read(held: Scope, needed: Scope) -> None:
    permitted = held is needed or (held is Scope.INTERNAL and needed in {Scope.ASSESS, Scope.READ})
    if permitted:
        principal(held).require(needed)
        return
    with pytest.raises(ServiceError) as caught:
        principal(held).require(needed)
    assert caught.value.error_code is ErrorCode.INSUFFICIENT_RBAC


@pytest.mark.parametrize("scope", [Scope.ASSESS, Scope.READ, Scope.ADMIN])
def test_a_credential_acts_for_its_own_tenant_and_no_other(scope: Scope) -> None:
    assert principal(scope).tenant_for(None) == "acme"
    assert principal(scope).tenant_for("acme") == "acme"
    with pytest.raises(ServiceError) as caught:
        principal(scope).tenant_for("globex")
    assert caught.value.error_code is ErrorCode.TENANT_MISMATCH
    assert "globex" not in caught.value.message


def test_another_context_acts_for_the_tenant_it_names_and_must_name_one() -> None:
    link = principal(Scope.INTERNAL)
    assert link.tenant_for("globex") == "globex"
    with pytest.raises(ServiceError) as caught:
        link.tenant_for(None)
    assert caught.value.error_code is ErrorCode.INVALID_REQUEST
