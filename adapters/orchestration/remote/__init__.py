"""Detectors that run in somebody else's process, asked over HTTP."""
