"""Adapters of the orchestration ports, each named for role, then technology."""
