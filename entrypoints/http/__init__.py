"""Starlette applications: one a context, and the monolith."""
