"""Putting new versions before traffic step by step, and comparing them while somebody is watching."""
