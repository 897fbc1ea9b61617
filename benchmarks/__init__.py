"""Every performance figure Touchstone states, each by a command."""
