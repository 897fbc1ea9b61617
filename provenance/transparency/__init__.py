"""The transparency log: what was said of which medium, so that nobody can take it back unseen."""
