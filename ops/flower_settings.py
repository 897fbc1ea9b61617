"""Flower's settings, which Flower runs as Python: a login from a secret file."""

from pathlib import Path

basic_auth = [Path("/run/secrets/flower_login").read_text(encoding="utf-8").strip()]
address = "0.0.0.0"
port = 5555
purge_offline_workers = 3600
