"""`touchstone serve`: the whole service in one process, with nothing else to install or to start."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on. Default: this machine.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Its port; 0 is any free one.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, max=64, help="Worker processes.")] = None,
    folder: Annotated[
        list[Path] | None,
        typer.Option(help="Batches may name files below it; again for more. Default: this folder."),
    ] = None,
) -> None:
    """Scan through a page and an API, with workers beside them; Ctrl-C ends it.

    What was accepted is on disk: killed at any instant, it goes on where it was. On this machine alone no
    key is needed; `touchstone keys add` makes the first one, and anything else than this machine needs it.

    Example: `touchstone serve --port 8700`
    """
    if sys.stderr.isatty():  # its parts take seconds to load
        print("Touchstone is starting ...", file=sys.stderr, flush=True)
    from touchstone.api.server import serve as run
    from touchstone.api.shield import LOOPBACK
    from worker.settings import load_settings

    settings = load_settings(host=host, port=port, workers=workers)
    if folder or (not settings.folders and settings.host in LOOPBACK):
        chosen = os.pathsep.join(map(str, folder or [Path.cwd()]))
        settings = load_settings(host=host, port=port, workers=workers, folders=chosen)

    def started(address: str) -> None:
        print(f"Touchstone listens on {address}", flush=True)
        if settings.host not in LOOPBACK:
            print("Every request needs a key: `touchstone keys add` makes one.", flush=True)

    with contextlib.suppress(KeyboardInterrupt):
        run(settings, started=started)
