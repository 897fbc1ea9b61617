"""Reports people read: terminal table, CSV, JSON, self-contained HTML."""
