"""The server under fire for as long as one likes: real processes that fail, and promises checked on every answer."""
