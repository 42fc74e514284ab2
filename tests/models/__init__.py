"""Tests that run models: `make test-models`.

They run in the ordinary environment and start what needs torch in another, as processes.
"""
