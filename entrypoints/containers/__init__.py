"""Wiring: the only code that names concrete adapters."""
