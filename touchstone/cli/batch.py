"""`touchstone batch`: archives through the queue, on the job store of this machine."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evidence.errors import NoSuchJob, UsageError
from touchstone.cli import guard, options

if TYPE_CHECKING:
    from touchstone.cli.standing import Standing
    from worker.jobs.model import Job
    from worker.jobs.store import JobStore

group = typer.Typer(no_args_is_help=True)

BatchId = Annotated[str, typer.Argument(metavar="ID", help="As `submit` printed it.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Stay until it is done; work on it here if nobody serves.")
]


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    app.add_typer(group, name="batch", help="Scan archives through the queue: interrupted, nothing is lost.")


@group.command()
def submit(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH|DIR|GLOB|MANIFEST|-",
            help="Media, or a .csv or .jsonl with a column path or sha256; - reads a manifest, or paths.",
        ),
    ],
    lane: Annotated[
        Literal["batch", "low"], typer.Option(help="How urgent; a person at the page always goes first.")
    ] = "batch",
    model: options.Model = None,
    every: options.Every = None,
    keyframes: options.Keyframes = False,
    max_frames: options.MaxFrames = None,
    key: Annotated[str, typer.Option(help="Submitted again under the same key, it is the same batch.")] = "",
    skip_known: Annotated[
        bool,
        typer.Option(
            "--skip-known", help="Leave out media this detector has a report on, with the settings."
        ),
    ] = False,
    wait: Wait = False,
    fail_on: options.FailOn = None,
    progress: options.Progress = "auto",
) -> None:
    """Put media in the queue and print the id of the batch; with `--wait`, how it came out.

    The same command goes on with a batch that was interrupted. Examples: `touchstone batch submit archive/
    --wait` · `touchstone batch submit manifest.csv --lane low`

    Exit codes: 0 done, 1 some media failed, 2 wrong usage, 3 nothing could be done, 10 see --fail-on.
    """
    from touchstone.cli.archive import Asked, say, take_in
    from touchstone.cli.scan import check_sampling
    from touchstone.cli.waiting import wait as wait_for
    from worker.jobs.model import Lane
    from worker.requests import ScanOptions
    from worker.scanner import find_detector
    from worker.settings import load_settings

    check_sampling(keyframes, every)
    if model and Path(model).is_file():
        model = str(Path(model).absolute())  # workers may run elsewhere
    settings = load_settings(model=model)
    find_detector(settings)
    asked = Asked(
        tuple(what),
        ScanOptions(every, keyframes, max_frames, model or ""),
        Lane[lane.upper()],
        key,
        skip_known,
    )
    with open_store() as store:
        taken = take_in(store, settings, asked)
        if taken.known:
            say(f"{taken.known} media are known already and left out.")
        if taken.job is None:
            return
        if taken.again:
            say(f"Going on with batch {taken.job.id}, which was submitted before.")
        if taken.bad.count:
            say(f"{taken.bad.count} of the items cannot be scanned; the others are.")
        if not wait:
            print(taken.job.id)
            raise typer.Exit(taken.bad.exit_code)
        standing = wait_for(store, taken.job, settings, progress)
        print(standing)
        if standing.retriable:
            say(f"{standing.retriable} may go well another time: touchstone batch retry {standing.id} --wait")
        raise typer.Exit(exit_code(standing, fail_on))


@group.command()
def status(
    batch: BatchId,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """How far a batch is, what came of it so far, its speed and the time left.

    Example: `touchstone batch status 0123456789abcdef0123456789abcdef`
    """
    from touchstone.cli.standing import Watcher

    with open_store() as store:
        standing = Watcher(store, batch_of(store, batch)).look()
    print(jsonlib.dumps(standing.to_plain()) if json else standing)


@group.command()
def results(
    batch: BatchId,
    csv: options.RowsCsv = None,
    jsonl: options.Jsonl = None,
    parquet: options.Parquet = None,
    fail_on: options.FailOn = None,
) -> None:
    """Write what came of the media of a batch that have ended, in the order they were submitted.

    Example: `touchstone batch results 0123456789abcdef0123456789abcdef --csv verdicts.csv`

    Exit codes: 0 done, 1 some media failed, 2 wrong usage, 3 nothing could be done, 10 see --fail-on.
    """
    from touchstone.cli.archive import say
    from touchstone.cli.results import write_results
    from touchstone.cli.standing import Watcher
    from touchstone.report.batch import reports

    if csv is None and jsonl is None and parquet is None:
        raise UsageError("No file for the results was named.", "Name one: --csv, --jsonl, --parquet.")
    with open_store() as store:
        job = batch_of(store, batch)
        write_results(reports(store, job), csv, jsonl, parquet)
        standing = Watcher(store, job).look()
    if standing.done < standing.of:
        say(f"{standing.of - standing.done} of {standing.of} media have no result yet.")
    raise typer.Exit(exit_code(standing, fail_on))


@group.command()
def retry(
    batch: BatchId,
    wait: Wait = False,
    progress: options.Progress = "auto",
) -> None:
    """Queue the media again whose workers died, or that failed for a cause that may pass.

    Those are files that could not be fetched or read, took too long, or crashed their decoder.

    Example: `touchstone batch retry 0123456789abcdef0123456789abcdef --wait`

    Exit codes: 0 done, 1 some media failed, 2 wrong usage, 3 nothing could be done.
    """
    from touchstone.cli.archive import say
    from touchstone.cli.waiting import wait as wait_for
    from worker.retrying import retry_failed
    from worker.settings import load_settings

    with open_store() as store:
        job = batch_of(store, batch)
        again = f"{retry_failed(store, job)} media are queued again."
        if not wait:
            print(again)
            return
        say(again)
        standing = wait_for(store, job, load_settings(), progress)
        print(standing)
        raise typer.Exit(exit_code(standing))


@group.command()
def cancel(batch: BatchId) -> None:
    """Stop a batch; what is done stays.

    Example: `touchstone batch cancel 0123456789abcdef0123456789abcdef`
    """
    from touchstone.cli.standing import Watcher

    with open_store() as store:
        batch_of(store, batch)
        print(Watcher(store, store.cancel(batch)).look())


@group.command("list")
def list_batches(
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many.")] = 50,
) -> None:
    """The batches of this machine, newest first. Example: `touchstone batch list`"""
    from touchstone.api.tally import Tally
    from touchstone.cli.archive import TENANT
    from touchstone.report.wording import visible
    from worker.jobs.search import Search, find_jobs

    with open_store() as store:
        tally = Tally(store)
        for job, _ in find_jobs(store.engine, TENANT, Search("batch", limit=limit)):
            made = datetime.fromtimestamp(job.created, UTC).strftime("%Y-%m-%d %H:%M")
            name = visible(job.request.get("name", ""))
            print(f"{job.id}  {job.state.value:<9}  {made}  {tally.total(job):>7} media  {name}".rstrip())


@contextmanager
def open_store() -> Iterator[JobStore]:
    """The job store of the settings, closed in the end. Raises SettingsError, StoreError."""
    from worker.jobs.store import JobStore
    from worker.settings import load_settings

    store = JobStore(load_settings().store_url)
    try:
        yield store
    finally:
        store.close()


def batch_of(store: JobStore, batch: str) -> Job:
    """A batch by its id; raises NoSuchJob."""
    job = store.get(batch)
    if job.kind != "batch":
        raise NoSuchJob(f"{batch} is no batch.", "List them: touchstone batch list")
    return job


def exit_code(standing: Standing, fail_on: str | None = None) -> int:
    """What a batch that has ended makes of the command."""
    if fail_on and standing.verdicts["fake"]:
        return guard.FAKE_FOUND
    if standing.failed == standing.done:
        return guard.NOTHING_DONE
    return guard.SOME_FAILED if standing.failed else guard.DONE
