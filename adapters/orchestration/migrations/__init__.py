"""Alembic migrations of the orchestration database."""

HEAD = "0002"
"""The newest revision, so that a database already there is recognised without Alembic."""
