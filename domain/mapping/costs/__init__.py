"""What mapping costs whom, and what happens when it is too much."""
