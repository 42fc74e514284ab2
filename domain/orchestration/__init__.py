"""Orchestration: which detectors run, what they amount to together, what part was covered, and the verdict."""
