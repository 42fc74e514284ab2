"""Mapping: vendor labels to the canonical taxonomy, and from there to the controls of framework editions."""
