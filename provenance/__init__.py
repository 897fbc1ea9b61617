"""Where a medium says it came from: Content Credentials, metadata claims, watermarks, hashes, log.

Torch-free. Laid out now, furnished by the provenance work; `touchstone scan` reports an empty
`provenance` section until then.
"""
