"""Figures of merit as functions of how often each family of vendors counts, so that one definition serves the value
and its bootstrap interval."""
