"""Where a medium says it came from: Content Credentials, metadata claims. Nothing here judges pixels."""
