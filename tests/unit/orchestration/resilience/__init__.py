"""What stands between us and remote detectors."""
