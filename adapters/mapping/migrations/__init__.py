"""Alembic migrations of the mapping database."""

HEAD = "0005"
"""The newest revision, so that a database already there is recognised without Alembic."""
