"""Adapters of the assessment ports, each named for role, then technology."""
