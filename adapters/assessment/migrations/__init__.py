"""Alembic migrations of the assessment database."""

HEAD = "0001"
"""The newest revision, so that a database already there is recognised without Alembic."""
