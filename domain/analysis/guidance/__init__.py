"""Guidance from templates: short texts of our own, chosen by category and framework."""
