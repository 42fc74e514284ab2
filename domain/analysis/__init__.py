"""Analysis: what the findings amount to: patterns over time, risk, compliance, and how far to trust it."""
