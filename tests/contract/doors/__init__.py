"""What the HTTP doors promise, through the real application."""
