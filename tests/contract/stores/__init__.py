"""What every adapter of a store port promises, on SQLite and on PostgreSQL."""
