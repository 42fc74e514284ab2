"""Detectors that are defined while the service runs: registered, found in files, found by DNS."""
