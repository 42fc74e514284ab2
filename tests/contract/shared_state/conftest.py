"""The shared ports' adapters: in memory, on Redis, and falling back from the one to the other."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest

from tests.support.shared_state import KINDS, Ports, open_ports
from tests.support.valkey import valkey

__all__ = ["valkey"]


@pytest.fixture(params=KINDS)
async def ports(request: pytest.FixtureRequest, valkey: str) -> AsyncIterator[Ports]:
    """Each kind of adapters in turn."""
    async with open_ports(request.param, valkey) as opened:
        yield opened


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test has."""
    return f"t{secrets.token_hex(8)}"
