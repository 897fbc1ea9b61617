"""The truth about work: the durable job store (SQLite embedded, PostgreSQL in the stack)."""
