"""The analysis context, without I/O."""
