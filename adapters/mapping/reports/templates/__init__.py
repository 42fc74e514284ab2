"""The shipped templates, as data."""
