"""Risk in four dimensions by a documented formula: see `docs/risk.md`."""
