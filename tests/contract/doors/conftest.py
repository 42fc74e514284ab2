"""Where the doors' shared state is kept."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.valkey import valkey

__all__ = ["valkey"]


@pytest.fixture(params=["memory", "redis"])
def state(request: pytest.FixtureRequest, valkey: str) -> Mapping[str, object]:
    """The settings for shared state in memory and on Redis."""
    return {} if request.param == "memory" else {"redis_url": valkey, "redis_timeout_ms": 5000}
