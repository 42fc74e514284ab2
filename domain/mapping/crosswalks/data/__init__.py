"""Test cases of the shipped crosswalk, as package data."""
