"""Personal and financial identifiers."""
