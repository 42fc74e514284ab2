"""Frameworks that a tenant uploads."""
