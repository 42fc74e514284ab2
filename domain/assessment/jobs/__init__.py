"""Assessments in the background: fair order, bounded memory, state that survives the process."""
