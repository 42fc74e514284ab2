"""Adapters of the mapping ports, each named for role, then technology."""
