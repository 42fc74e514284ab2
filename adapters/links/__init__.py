"""Another context's Api over HTTP."""
