"""Detector definitions found in files and by DNS."""
