"""Training data: shards, folders and arrays, held as uint8 in memory."""
