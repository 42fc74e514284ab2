"""Judging a text while it is written."""
