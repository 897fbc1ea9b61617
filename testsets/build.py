"""Builds a test set from a recipe: forged by many processes, looked over by the linter, put in its place.

A set grows in `DIR.part` and becomes `DIR` when it is whole and does not leak. Each order is written by one
process and entered here in the order of the plan, so that any number of processes, and any number of kills,
leave the same bytes.
"""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2

from detector.lint import LIMIT, LintReport, lint
from detector.readers import read
from evidence.errors import DataError, MediaError, TouchstoneError, UsageError
from evidence.files import write_whole
from exports.manifest import Folder, Row
from exports.registry import Registry
from provenance.look_alikes import LookAlikes
from testsets.aims import Foe, OpenTarget, foes_of
from testsets.bench import Bench, Made
from testsets.plan import Order, plan
from testsets.recipe import Recipe, Source
from testsets.sources import Shelf, sha256_of
from testsets.suite import makers_of

SCHEMA = "touchstone.testset/1"
ABOUT, RECIPE, LINT, LINT_PAGE = "testset.json", "recipe.toml", "lint.json", "lint.html"
PICTURES = ("real", "fake", "mask")

OnRow = Callable[[Row, Made | None], None]
OnFailed = Callable[[str, TouchstoneError], None]
Verdict = Literal["passed", "failed", "too few to tell"]


class Leaks(DataError):
    """Raised when something else than forgery tells the classes of a test set apart."""

    code = "leaks"


@dataclass(frozen=True)
class Plan:
    """A recipe with its reals, its forgers and its orders: all that is to be made."""

    recipe: Recipe
    models: Registry
    orders: tuple[Order, ...]
    labels: dict[str, str] = field(default_factory=dict)  # of each forger with a model, the sha256 of that
    foes: dict[str, Foe] = field(
        default_factory=dict
    )  # the attacked detectors, by what the recipe calls them

    @property
    def forgeries(self) -> int:
        """How many it will hold."""
        return sum(len(order.picks) for order in self.orders)

    @property
    def targets(self) -> dict[str, dict[str, Any]]:
        """The attacked detectors by their labels: sum, place, tiles."""
        return {
            foe.label: {name: value for name, value in vars(foe).items() if name != "label"}
            for foe in self.foes.values()
        }

    def about(self) -> dict[str, Any]:
        """What `testset.json` says: which recipe, seed and models made the set, and where its reals lie."""
        recipe = self.recipe
        return {
            "schema": SCHEMA,
            "name": recipe.name,
            "about": recipe.about,
            "recipe_sha256": recipe.digest,
            "seed": recipe.seed,
            "marks": recipe.marks,
            "date": recipe.date.isoformat(),
            "models": self.labels,
            "targets": self.targets,
            "sources": [_source_row(source) for source in recipe.sources],
        }


def planned(
    recipe: Recipe, models: Registry, open_target: OpenTarget | None = None, shelf: Shelf | None = None
) -> Plan:
    """What a recipe comes to with the reals, models and detectors that are there.

    `open_target` opens the detectors that it attacks; `shelf` holds its reals already. Raises RecipeError,
    DataError.
    """
    makers = makers_of(recipe, models)
    foes = foes_of(recipe, open_target)
    orders = plan(recipe, shelf or Shelf(recipe.sources), makers, foes)
    labels = {maker.label: maker.entry.sha256 for maker in makers if maker.entry is not None}
    return Plan(recipe, models, tuple(orders), labels, foes)


def part_of(out: Path) -> Path:
    """Where a set grows before it is put in its place."""
    return out.with_name(f"{out.name}.part")


def forge(made: Plan, bench: Bench, out: Path, *, workers: int, on_row: OnRow, on_failed: OnFailed) -> Path:
    """Make every picture of a plan that is not there yet, and return the folder they are in.

    A real that cannot be used is handed to `on_failed` and left out with its forgeries.
    """
    part = part_of(out)
    _begin(made, part)
    stamp = _seconds(made.recipe.date)
    with Folder(part) as folder:
        _sweep(folder)
        done, missing = _done(folder, made.orders)
        for row in done:
            on_row(row, None)
        for order, found in _forged(missing, bench, workers):
            if isinstance(found, MediaError):
                on_failed(f"{order.source}/{order.key}", found)
                continue
            for one in found:
                on_row(_write(folder, one, bench, stamp), one)
    return part


def examine(part: Path, on_progress: Callable[[int], None] | None = None) -> LintReport | None:
    """What the linter says of a set, also in its `lint.json`; None where it is too small for any word."""
    try:
        report = lint(read(part), limit=LIMIT, look_alikes=LookAlikes(), on_progress=on_progress)
        found = report.to_dict()
    except DataError as error:
        report, found = None, {"passed": False, "verdict": "too few to tell", "why": str(error)}
    write_whole(part / LINT, f"{json.dumps(found, indent=2)}\n".encode())
    return report


def require_sound(report: LintReport | None) -> None:
    """Raise Leaks where a set would teach or flatter a shortcut."""
    if report is None or report.verdict != "failed":
        return
    leaks = [probe for probe in report.probes if probe.leaks and not probe.advisory]
    found = [f"{probe.name} (AUC {probe.auc:.2f})" for probe in leaks]
    double = {
        "the same bytes in two splits": report.duplicates_across_splits,
        "look-alikes in two splits": report.lookalikes_across_splits,
        "groups in two splits": report.groups_across_splits,
        "the same bytes under both labels": report.duplicates_across_labels,
    }
    found += [name for name, pairs in double.items() if pairs]
    advice = " ".join(probe.advice for probe in leaks)
    raise Leaks(
        f"The set leaks: {', '.join(found)} tells real from fake. It stays where it was made.",
        f"{advice} Mend the recipe, or take the set as it is with --force: its card then says so.".strip(),
    )


def put_in_place(part: Path, out: Path) -> None:
    """Give a whole set its name."""
    for path in sorted(part.rglob("*")):
        if path.is_file() and path.name.startswith("."):
            path.unlink()
    part.rename(out)


def finished(made: Plan, out: Path) -> bool:
    """Whether `out` is this very set already; raises UsageError where it is something else."""
    if not out.exists():
        return False
    if told(out) == made.about():
        return True
    raise UsageError(f"{out} is there and holds something else.", "Name another --out.")


def told(folder: Path) -> dict[str, Any] | None:
    """What the `testset.json` of a folder says; None where there is none."""
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return about


def _begin(made: Plan, part: Path) -> None:
    before = told(part)
    if before is None and part.exists() and any(part.iterdir()):
        raise UsageError(f"{part} holds something else than a test set.", "Name another --out.")
    if before is not None and before != made.about():
        raise UsageError(
            f"{part} holds what another recipe, seed, model or folder of reals has begun.",
            "Take it away, or name another --out.",
        )
    write_whole(part / RECIPE, made.recipe.document.text.encode())
    write_whole(part / ABOUT, f"{json.dumps(made.about(), indent=2)}\n".encode())


def _sweep(folder: Folder) -> None:
    """Take away what a killed run wrote without telling the manifest."""
    named = {row["path"] for row in folder.rows.values()} | {row.get("mask") for row in folder.rows.values()}
    for kind in PICTURES:
        for path in (folder.path / kind).rglob("*"):
            if path.is_file() and path.relative_to(folder.path).as_posix() not in named:
                path.unlink()


def _done(folder: Folder, orders: Sequence[Order]) -> tuple[list[Row], list[Order]]:
    """The rows of orders that are all there, and the orders that are not."""
    rows: dict[str, list[Row]] = {}
    for row in folder.rows.values():
        if (folder.path / row["path"]).is_file():
            rows.setdefault(row["order"]["stem"], []).append(row)
    whole = [order for order in orders if len(rows.get(order.stem, ())) == 1 + len(order.picks)]
    stems = {order.stem for order in whole}
    return [row for order in whole for row in rows[order.stem]], [
        order for order in orders if order.stem not in stems
    ]


_Result = tuple[Order, list[Made] | MediaError]


def _forged(orders: Sequence[Order], bench: Bench, workers: int) -> Iterator[_Result]:
    """The pictures of each order, in order, made here or in processes of one thread each."""
    if workers <= 1 or len(orders) <= 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield from (_made(bench, order) for order in orders)
        finally:
            cv2.setNumThreads(threads)
        return
    context = multiprocessing.get_context("spawn")
    fresh = replace(bench, shelf=Shelf(tuple(bench.shelf.sources.values())))
    with context.Pool(min(workers, len(orders)), initializer=_prepare, initargs=(fresh,)) as pool:
        yield from pool.imap(_made_in_worker, orders)


_bench: Bench | None = None


def _prepare(bench: Bench) -> None:
    global _bench
    _bench = bench
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches them too; their parent ends them


def _made_in_worker(order: Order) -> _Result:
    assert _bench is not None
    return _made(_bench, order)


def _made(bench: Bench, order: Order) -> _Result:
    try:
        return order, bench.make(order)
    except MediaError as error:
        return order, error


def _write(folder: Folder, made: Made, bench: Bench, stamp: float) -> Row:
    row, finish = {"id": made.stem, **made.row}, None
    if row["marks"] and bench.marking == "all" and bench.marks is not None:
        mark = bench.marks(bench.models.get(f"{row['generator']}@{row['version']}"))
        finish = partial(mark, parent=None)
        row["unmarked_sha256"] = sha256_of(made.content)
    path = folder.add(made.stem, made.suffix, made.content, row, mask=made.mask, finish=finish)
    for written in (path, folder.rows[path].get("mask")):
        if written:
            os.utime(folder.path / written, (stamp, stamp))
    return folder.rows[path]


def _source_row(source: Source) -> dict[str, Any]:
    places = {name: getattr(source, name) for name in ("folder", "collection", "shards", "split")}
    absolute = {
        name: os.path.abspath(value) if value and name in ("folder", "collection") else value
        for name, value in places.items()
    }
    return {"name": source.name, **absolute, "clips": source.clips}


def _seconds(date: datetime.date) -> float:
    return datetime.datetime(date.year, date.month, date.day, tzinfo=datetime.UTC).timestamp()
