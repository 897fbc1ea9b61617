"""Where a medium says it came from: Content Credentials, metadata claims, watermarks, hashes, log.

Torch-free, and laid out for the provenance work. Of a report's `provenance` section the metadata claims
are filled today, by `evidence/claims.py`; the rest stays empty until somebody looks.
"""
