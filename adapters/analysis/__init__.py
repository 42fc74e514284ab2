"""Adapters of the analysis ports, each named for role, then technology."""
