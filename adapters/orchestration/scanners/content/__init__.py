"""In-process detectors for secrets, abuse, violence, prompt attacks and language."""
