"""`touchstone batch rescan` and `changes`: what a new detector says of everything that was scanned before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from touchstone.cli import options
from touchstone.cli.batch import BatchId, Wait, batch_of, exit_code, group, open_store

if TYPE_CHECKING:
    from worker.jobs.model import Job
    from worker.jobs.store import JobStore

Csv = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The changes, a row each; - is standard output.")
]
Jsonl = Annotated[Path | None, typer.Option(metavar="FILE", help="The changes, a line of JSON each.")]
Parquet = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The changes; needs touchstone[archives].")
]


def register(_: typer.Typer) -> None:
    """Add the commands to the group of batches."""
    group.command()(rescan)
    group.command()(changes)


def rescan(
    model: options.Model = None,
    every: options.Every = None,
    keyframes: options.Keyframes = False,
    max_frames: options.MaxFrames = None,
    wait: Wait = False,
    csv: Csv = None,
    jsonl: Jsonl = None,
    parquet: Parquet = None,
    progress: options.Progress = "auto",
) -> None:
    """Scan again, in the low lane, every medium that another detector judged last; say what changed.

    Prints the id of the batch; nothing where every medium has a report by this detector. Each is tried once.
    The same command goes on with a batch that was interrupted.

    Example: `touchstone batch rescan --wait --csv changed.csv`

    Exit codes: 0 done, 1 some media failed, 2 wrong usage, 3 nothing could be done.
    """
    from evidence.errors import UsageError
    from touchstone.cli.archive import TENANT, say
    from touchstone.cli.scan import check_sampling
    from touchstone.cli.waiting import wait as wait_for
    from touchstone.rescanning import rescan as begin
    from worker.requests import ScanOptions
    from worker.scanner import find_detector
    from worker.settings import load_settings

    check_sampling(keyframes, every)
    if not wait and (csv or jsonl or parquet):
        raise UsageError(
            "What changed is known at the end.", "Add --wait, or ask later: touchstone batch changes ID"
        )
    if model and Path(model).is_file():
        model = str(Path(model).absolute())  # workers may run elsewhere
    settings = load_settings(model=model)
    with open_store() as store:
        job = begin(
            store,
            find_detector(settings),
            ScanOptions(every, keyframes, max_frames, model or ""),
            tenant=TENANT,
            retention_seconds=settings.retention_days * 86_400.0,
        )
        if job is None:
            say("Nothing was judged last by another detector.")
            return
        if not wait:
            print(job.id)
            return
        standing = wait_for(store, job, settings, progress)
        print(standing)
        _write(store, job, csv, jsonl, parquet)
        raise typer.Exit(exit_code(standing))


def changes(batch: BatchId, csv: Csv = None, jsonl: Jsonl = None, parquet: Parquet = None) -> None:
    """How many verdicts of a batch differ from those of another detector before it, and which.

    Example: `touchstone batch changes 0123456789abcdef0123456789abcdef --csv changed.csv`
    """
    with open_store() as store:
        _write(store, batch_of(store, batch), csv, jsonl, parquet)


def _write(store: JobStore, job: Job, csv: Path | None, jsonl: Path | None, parquet: Path | None) -> None:
    """Write what changed; how much it is goes to standard error when a table goes to standard output."""
    from touchstone.cli.archive import say
    from touchstone.report.changes import compared, in_a_line, write_changes
    from touchstone.report.sink import STDOUT

    line = in_a_line(write_changes(compared(store, job), csv_file=csv, jsonl=jsonl, parquet=parquet))
    if STDOUT in (csv, jsonl):
        say(line)
    else:
        print(line)
