"""Scan at scale: scan and decide as pure functions, tiling, batching, and later the durable queue."""
