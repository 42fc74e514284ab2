"""Orchestration: plans, aggregation, coverage, verdicts, and the service over detectors that misbehave."""
