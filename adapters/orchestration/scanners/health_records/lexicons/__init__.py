"""Package data: lists of medications, conditions and procedures, one term a line."""
