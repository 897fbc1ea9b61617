"""The truth about work: the durable job store, on SQLite embedded and on PostgreSQL in the stack."""
