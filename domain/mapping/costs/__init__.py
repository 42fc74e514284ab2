"""What mapping costs, and what it would have cost another way."""
