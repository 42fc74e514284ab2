"""Alembic migrations of the mapping database."""

HEAD = "0010"
"""The newest revision, so that a database already there is recognised without Alembic."""
