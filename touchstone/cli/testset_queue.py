"""`touchstone testset build --queue`: the set as a job of the store, and its place on this machine at last.

Asked for again while it is under way, or after it was built, a set is not begun anew.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from detector.lint import LIMIT, LintReport
from evidence.errors import TouchstoneError, UsageError
from testsets.build import LINT, LINT_PAGE, part_of, put_in_place, require_sound, told
from testsets.recipe import READY, find
from testsets.writers import placed
from touchstone.cli.guard import Interrupted, patient_interrupts
from touchstone.cli.waiting import LOOK_SECONDS, Hands
from touchstone.report.card import write_lint
from worker.jobs.model import Job, JobState
from worker.jobs.search import Search, find_jobs, newest_progress
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.requests import TESTSET, SetRequest, set_job
from worker.settings import Settings
from worker.testset_shards import SET

if TYPE_CHECKING:
    from testsets.build import Plan

_DAY = 86_400.0


class NotBuilt(TouchstoneError):
    """Raised when the workers could not build a test set."""

    code = "not_built"


@dataclass(frozen=True)
class Asked:
    """A set as the command line asks for it."""

    recipe: str
    out: Path
    source: Path | None = None
    count: int | None = None
    seed: int | None = None
    layouts: tuple[str, ...] = ()
    force: bool = False

    def request(self) -> SetRequest:
        """The same for workers that run elsewhere."""
        document, path = find(self.recipe).document, Path(self.recipe)
        return SetRequest(
            name=document.name,
            text=document.text,
            folder=str((path.parent if path.is_file() else READY).absolute()),
            source="" if self.source is None else str(self.source.absolute()),
            count=self.count,
            seed=self.seed,
            layouts=self.layouts,
            force=self.force,
        )


def through_queue(asked: Asked, made: Plan, settings: Settings) -> tuple[LintReport | None, int]:
    """Have the set built and put in its place; what the linter says, and how many reals were left out.

    Raises NotBuilt, Leaks, Interrupted.
    """
    part = part_of(asked.out)
    if part.exists() and told(part) not in (None, made.about()):
        raise UsageError(f"{part} holds another set.", "Take it away, or name another --out.")
    media = MediaStore(settings.media_folder, max_bytes=settings.max_bytes)
    with closing(JobStore(settings.store_url)) as store:
        job = _built(store, settings, asked.request(), made.forgeries + len(made.orders), media)
        shard = store.shards(job.id, limit=1)[0]
        if job.state is not JobState.DONE or shard.result is None:
            why = (shard.cause or {}).get("message", "it was cancelled.")
            raise NotBuilt(f"The workers did not build it: {why}", "The same command begins it anew.")
        shutil.rmtree(part, ignore_errors=True)
        built = media.artefact(job.id, SET)
        for path in built.rglob("*"):
            if path.is_file():
                placed(path, part / path.relative_to(built))
    said = json.loads((part / LINT).read_text("utf-8"))
    report = LintReport.from_dict(said) if "probes" in said else None
    if report is not None:
        write_lint(part / LINT_PAGE, report, limit=LIMIT, dataset=made.recipe.name)
    if not asked.force:
        require_sound(report)
    put_in_place(part, asked.out)
    for one in shard.result["left_out"]:
        print(f"touchstone: {one['name']}: {one['why']}", file=sys.stderr)
    return report, shard.result["left_out_count"]


def _built(store: JobStore, settings: Settings, request: SetRequest, of: int, media: MediaStore) -> Job:
    """The job of a set, once it has ended."""
    job = _known(store, request, media)
    if job is None:
        job, _ = store.submit(set_job(request, retention_seconds=settings.retention_days * _DAY))
    with patient_interrupts():
        try:
            with _bar() as bar, Hands(store, settings) as hands:
                task = bar.add_task("pictures", total=of)
                while not (job := store.get(job.id)).state.ended:
                    done = newest_progress(store.engine, [job.id]).get(job.id, {}).get("done", 0)
                    bar.update(task, completed=done)
                    if done == of:
                        bar.update(task, description="looking for short cuts")
                    hands.look(done)
                    time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            raise Interrupted("Nothing is lost: the same command goes on from here.") from None
    return job


def _known(store: JobStore, request: SetRequest, media: MediaStore) -> Job | None:
    """The job of the very same request that is under way, or that built a set which is still there."""
    for job, _ in find_jobs(store.engine, "local", Search(TESTSET, limit=1_000)):
        same = SetRequest.from_plain(job.request) == SetRequest.from_plain(request.to_plain())
        there = not job.state.ended or (job.state is JobState.DONE and media.artefact(job.id, SET).is_dir())
        if same and there:
            return job
    return None


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
