"""The front door: `scan(path) -> Report`, the command line and the reports people read."""
