"""Servers that several contracts are put to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.opa import PolicyServer, policy_server


@pytest.fixture(scope="session")
def opa() -> Iterator[PolicyServer]:
    """A policy server that speaks OPA's REST API."""
    with policy_server() as server:
        yield server
