"""What workers do for a job of kind "testset": plan it, forge ranges of its orders, put the whole together.

A range is forged as `touchstone testset build` forges a set, in a folder of its own attempt, so that a worker
that was thought dead writes into nobody's; only the folder whose attempt was counted becomes part of the set.
The last step lays them side by side and lets the same function look for what is missing: the set has the
bytes of a build in one process.

jobs/<job>/parts/<first order>-<bytes>-<attempt>/   a range that was forged
jobs/<job>/set/                                     the set, once it is whole
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evidence.errors import DataError, TouchstoneError
from evidence.files import write_whole
from exports.manifest import MANIFEST, Row
from provenance.transparency.entries import generated
from testsets.bench import Made
from testsets.build import ABOUT, PICTURES, RECIPE, examine, forge, part_of, put_in_place
from testsets.card import write_card, write_sheets
from testsets.verify import rows_of
from testsets.writers import placed, write_layouts
from worker.jobs.model import Lease, Plain, Shard, ShardState
from worker.keeping import Keeper
from worker.media import MediaStore
from worker.remembering import Known, known_forgery
from worker.requests import SetRequest
from worker.settings import Settings
from worker.testset_recipes import Opened, SetTooLarge, opened_for, without_paths

ORDERS_AT_ONCE = 16  # reals, with their forgeries, that a worker makes before others may go first
SET, PARTS = "set", "parts"
MOST_NAMED = 20  # reals that could not be used, of which the result says why

OnPicture = Callable[[int, int], None]  # told how many of how many are there; what it raises ends the work


@dataclass(frozen=True)
class Forged:
    """A range that is there, and its forgeries for the registry."""

    result: Plain
    known: tuple[Known, ...]


class SetBuilder:
    """Builds test sets among the artefacts of their jobs; keeps the plan and models of the latest at hand."""

    def __init__(self, settings: Settings, media: MediaStore, keeper: Keeper) -> None:
        self._settings, self._media, self._keeper = settings, media, keeper
        self._latest: tuple[str, Opened] | None = None

    def begin(self, lease: Lease) -> tuple[Plain, list[Plain]]:
        """What is known before anything is forged, and the ranges to be forged."""
        opened = self._open(lease, anew=True)
        about: Plain = {"orders": opened.digest, "of": opened.pictures}
        count = len(opened.plan.orders)
        ranges = [[first, min(count, first + ORDERS_AT_ONCE)] for first in range(0, count, ORDERS_AT_ONCE)]
        return about, [{**about, "testset": True, "part": one} for one in ranges]

    def forge(self, part: Lease, on_picture: OnPicture) -> Forged:
        """Forge a range of orders; of those whose real cannot be used, nothing."""
        opened = self._open(part)
        _require_same(opened, part.payload)
        first, end = part.payload["part"]
        orders = opened.plan.orders[first:end]
        count = sum(1 + len(order.picks) for order in orders)
        known: list[Known] = []
        made: list[Plain] = []
        done = 0

        def on_row(row: Row, one: Made | None) -> None:
            nonlocal done
            done += 1
            on_picture(done, count)
            if row["label"] == "fake" and row["model_sha256"] and one is not None and one.pixels is not None:
                made.append(generated(row))
                if self._settings.registry and opened.bench.marking != "none":
                    known.append(known_forgery(row, one.pixels))

        begun = self._folder(part.job, PARTS) / part.token
        try:
            piece = replace(opened.plan, orders=orders)
            whole = forge(piece, opened.bench, begun, workers=1, on_row=on_row, on_failed=_leave_out)
            size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
            # The size stands in the name, so that those of all parts are known without opening one.
            whole = whole.rename(whole.with_name(f"{first:06d}-{size}-{part.attempt}-{part.token[:8]}"))
        except BaseException:  # half a range only takes the room away
            shutil.rmtree(part_of(begun), ignore_errors=True)
            raise
        self._require_room(part)
        on_picture(count, count)
        return Forged({"folder": whole.name, "made": made}, tuple(known))

    def finish(self, lease: Lease, parts: Sequence[Shard], heed: Callable[[], None]) -> Plain:
        """Put a set together of its ranges, look it over, and give it its place among the artefacts."""
        opened, request = self._open(lease), SetRequest.from_plain(lease.payload)
        _require_same(opened, lease.so_far or {})
        begun = self._folder(lease.job, f"{SET}-{lease.token}")
        folders = [self._folder(lease.job, PARTS) / (part.result or {})["folder"] for part in parts]
        _side_by_side(folders, part_of(begun))
        left_out: list[tuple[str, str]] = []
        part = forge(
            opened.plan,
            opened.bench,
            begun,
            workers=1,
            on_row=lambda row, made: None,
            on_failed=lambda name, error: left_out.append((name, without_paths(str(error), self._settings))),
        )
        rows = rows_of(part)
        if not rows:
            name, why = left_out[0]
            raise DataError(f"None of the {len(left_out)} reals could be used; of {name}: {why}")
        report = examine(part, lambda _: heed())
        layouts = dict.fromkeys((*opened.plan.recipe.layouts, *request.layouts))
        write_sheets(part, rows)
        write_card(part, rows, forced=request.force)
        write_layouts(part, rows, layouts)
        place = self._folder(lease.job, SET)
        shutil.rmtree(place, ignore_errors=True)  # of an attempt that could not say that it was done
        put_in_place(part, place)
        for folder in place.parent.glob(f"{SET}-*"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self._folder(lease.job, PARTS), ignore_errors=True)
        self._latest = None
        verdict = "too few to tell" if report is None else report.verdict
        fakes = sum(row["label"] == "fake" for row in rows)
        files = [path for path in place.rglob("*") if path.is_file()]
        return {
            "reals": len(rows) - fakes,
            "forgeries": fakes,
            "size_bytes": sum(path.stat().st_size for path in files),
            "lint": {
                "verdict": verdict,
                "worst_auc": None
                if report is None
                else max((probe.auc for probe in report.probes if not probe.advisory), default=None),
                "leaks": []
                if report is None
                else [probe.name for probe in report.probes if probe.leaks and not probe.advisory],
            },
            "sheets": sorted(path.name for path in (place / "sheets").glob("*")),
            "left_out": [{"name": name, "why": why} for name, why in left_out[:MOST_NAMED]],
            "left_out_count": len(left_out),
        }

    def _open(self, lease: Lease, *, anew: bool = False) -> Opened:
        if anew or self._latest is None or self._latest[0] != lease.job:
            request = SetRequest.from_plain(self._keeper.asked(lease))
            self._latest = None  # two sets of models are more than a small machine holds
            self._latest = lease.job, opened_for(request, self._settings)
        return self._latest[1]

    def _require_room(self, part: Lease) -> None:
        """Raise SetTooLarge once the pictures of a job of the API take more than they may."""
        if self._keeper.asked(part)["folder"]:
            return
        names = [path.name.split("-") for path in self._folder(part.job, PARTS).iterdir()]
        taken, most = sum(int(name[1]) for name in names if len(name) == 4), self._settings.testset_bytes
        if taken > most:
            raise SetTooLarge(
                f"Its pictures take {taken} bytes so far; {most} are allowed.",
                "Ask for fewer with `count`, or for smaller ones with `fit` or `crop`.",
            )

    def _folder(self, job: str, name: str) -> Path:
        return self._media.artefact(job, name)


def cause_of_death(parts: Sequence[Shard]) -> Plain | None:
    """Why a set cannot be finished: what the first of its ranges died of, if one did."""
    return next((part.cause or {} for part in parts if part.state is not ShardState.DONE), None)


def _require_same(opened: Opened, before: Plain) -> None:
    if opened.digest != before["orders"]:
        raise DataError(
            "The reals or the models are others than when the set was begun.",
            "Build it anew; every worker needs the same reals and models.",
        )


def _side_by_side(folders: Sequence[Path], to: Path) -> None:
    """The pictures and rows of several folders in one, in their order; the pictures are not copied."""
    rows = []
    for folder in folders:
        rows.append((folder / MANIFEST).read_bytes())
        for kind in PICTURES:
            for path in (folder / kind).rglob("*"):
                if path.is_file():
                    placed(path, to / path.relative_to(folder))
    for name in (RECIPE, ABOUT):
        write_whole(to / name, (folders[0] / name).read_bytes())
    write_whole(to / MANIFEST, b"".join(rows))


def _leave_out(name: str, error: TouchstoneError) -> None:
    """Nothing now: `finish` tries it once more and says why."""
