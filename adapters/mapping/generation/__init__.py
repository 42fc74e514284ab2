"""Models behind servers and libraries."""
