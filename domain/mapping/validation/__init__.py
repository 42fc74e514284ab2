"""Checks of requests and answers beyond their shape."""
