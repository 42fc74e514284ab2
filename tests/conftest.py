"""Servers that all tests share, each started when first asked for."""

from tests.support.postgres import postgres_server

__all__ = ["postgres_server"]
