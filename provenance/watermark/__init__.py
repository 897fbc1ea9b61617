"""A mark of our own in the pixels of a picture: put in, found again, read."""
