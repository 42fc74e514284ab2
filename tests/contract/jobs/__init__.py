"""What running jobs promises, over real stores."""
