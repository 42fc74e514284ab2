"""What belongs to no context: the error root, ids, the clock, tenancy."""
