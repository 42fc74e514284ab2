"""What holds for all tests, and servers that all tests share, each started when first asked for."""

from hypothesis import settings

from tests.support.postgres import postgres_server

__all__ = ["postgres_server"]

# How long one example takes says nothing on a machine that has other things to do; benchmarks measure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
