"""Alembic migrations of the orchestration database."""

HEAD = "0001"
"""The newest revision, so that a database already there is recognised without Alembic."""
