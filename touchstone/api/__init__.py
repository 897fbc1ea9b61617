"""The HTTP API: scans, batches, generations, and what programs need around them; the home of FastAPI."""
