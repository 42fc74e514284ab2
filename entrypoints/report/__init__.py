"""The report of a run for a compliance officer: one HTML page that needs nothing from elsewhere."""
