"""Asking a language model: the port, the questions, and what is made of the answers."""
