"""What stands for a tenant now: overlay, frameworks and crosswalk over the shipped catalogue."""
