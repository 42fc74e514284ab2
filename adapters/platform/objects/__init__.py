"""Object stores, each named for role, then technology."""
