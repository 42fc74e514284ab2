"""The processes that scanners run in, and how this process talks to them."""
