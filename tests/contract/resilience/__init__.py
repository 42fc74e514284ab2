"""Guards in front of real detector processes that misbehave."""
