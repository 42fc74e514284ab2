"""What every remote detector promises, whatever the service behind it does."""
