"""What holds for all tests, and servers that all tests share, each started when first asked for."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.support.postgres import postgres_server

__all__ = ["postgres_server"]

# How long one example takes says nothing on a machine that has other things to do; benchmarks measure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

MOST_WORKERS = 3
"""Each worker has the models of the detectors and servers of its own, two gigabytes together at the most."""


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """What `-n logical` and `-n auto` mean here: as many workers as xdist finds cores, up to `MOST_WORKERS`."""
    return min((yield), MOST_WORKERS)
