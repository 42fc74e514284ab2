"""Shared by the tests: real servers to start, records to build."""
