"""Versions of what tenants upload, whatever it is."""
