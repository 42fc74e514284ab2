"""Remote detectors' requests and readers, which are pure."""
