"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# How long one example takes says nothing on a machine that has other things to do; benchmarks measure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
