"""Deciding on labels that nobody could map."""
