"""`touchstone worker`: a Celery worker on the broker of the settings."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

LANES = ("live", "batch", "low")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(worker)


def worker(
    lane: Annotated[
        list[str] | None,
        typer.Option(
            metavar="live|batch|low", help="Take only this lane; repeatable. Default: all, live first."
        ),
    ] = None,
    log: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="How much is said on standard error.")
    ] = "info",
) -> None:
    """Work on jobs that others accept, on as many machines as there are: one process, until it is stopped.

    Needs TOUCHSTONE_BROKER_URL and, unless all is on one machine, TOUCHSTONE_DATABASE_URL and a shared
    TOUCHSTONE_MEDIA_DIR. `celery -A worker.app worker` does the same. When it is stopped by SIGTERM or
    Ctrl-C it gives back what is under way.

    Example: `TOUCHSTONE_BROKER_URL=redis://localhost:6379/0 touchstone worker --lane live`
    """
    from evidence.errors import UsageError
    from worker.settings import load_settings

    unknown = [name for name in lane or () if name not in LANES]
    if unknown:
        raise UsageError(f"There is no lane {unknown[0]!r}.", f"The lanes are {', '.join(LANES)}.")
    if not load_settings().broker_url:
        raise UsageError(
            "There is no broker to take work from.",
            "Set TOUCHSTONE_BROKER_URL to a Redis, such as redis://localhost:6379/0; "
            "`touchstone serve` needs none.",
        )
    try:
        from worker.app import app
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The package {error.name} is not installed.", "Run pip install 'touchstone[service]'."
        ) from None
    queues = [f"touchstone.{name}" for name in lane or LANES]
    app.worker_main(
        ["worker", "--loglevel", log, "--without-gossip", "--without-mingle", "-Q", ",".join(queues)]
    )
