"""Versions of the taxonomy: how they differ, and what becomes of an old version's ids."""
