"""What guards of remote detectors tell the outside."""
