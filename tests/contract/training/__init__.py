"""Training jobs in a running process."""
