"""The hard items of a set, gathered so that a detector can learn from them: what it missed, with its twins.

A pair is hard where its forgery is not called fake, or its real is. All are of one family, named after the
folder, so that `touchstone train detector --add` takes them for new beside the twins that the detector knows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from detector.addition import SPLITS
from detector.entries import SUFFIXES, Entry
from detector.evaluate import scores_of
from detector.scoring import Scored
from detector.thresholds import Calibration
from evidence.errors import UsageError
from evidence.files import write_whole
from exports.manifest import MANIFEST
from testsets.writers import placed


@dataclass(frozen=True)
class Hard:
    """What was gathered: pairs whose forgery was missed, and pairs whose real was called fake."""

    missed: int
    alarms: int
    pairs: int


def gather(scored: Sequence[Scored], calibration: Calibration, out: Path) -> Hard:
    """Lay every hard pair of pictures into `out`, with a manifest; files share their bytes where they can.

    The splits of the set are kept where it has all that training needs, else training deals its own. Raises
    UsageError where `out` holds something else, or the set holds no pairs.
    """
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise UsageError(f"{out} holds something else.", "Name another folder for the hard items.")
    _, _, _, verdicts = scores_of(scored, calibration)
    called = {item.entry.key: verdict == 1 for item, verdict in zip(scored, verdicts, strict=True)}
    entries = {item.entry.key: item.entry for item in scored}
    pairs = [
        (one, entries[one.twin_of])
        for one in entries.values()
        if one.label == "fake" and one.twin_of in entries and _is_still(one)
    ]
    if not pairs:
        raise UsageError("There are no forgeries with a twin to be gathered.", "Score a test set.")
    hard = [(fake, real) for fake, real in pairs if not called[fake.key] or called[real.key]]
    split = {fake.split for fake, _ in hard} >= set(SPLITS)
    rows: dict[str, dict[str, Any]] = {}
    for fake, real in hard:
        for entry in (real, fake):
            if entry.key not in rows:
                rows[entry.key] = _laid(entry, out, family=out.resolve().name, split=split)
        rows[fake.key]["twin_of"] = rows[real.key]["path"]
    write_whole(out / MANIFEST, "".join(json.dumps(row) + "\n" for row in rows.values()).encode())
    missed = sum(not called[fake.key] for fake, _ in hard)
    return Hard(missed, sum(called[real.key] for _, real in hard), len(hard))


def _is_still(entry: Entry) -> bool:
    return entry.path.suffix.lower() in SUFFIXES and entry.inside is None


def _laid(entry: Entry, out: Path, *, family: str, split: bool) -> dict[str, Any]:
    """The picture and its mask below `out`, and its row."""
    plain = PurePosixPath(*(part for part in PurePosixPath(entry.key).parts if part not in ("..", "/")))
    name = str(plain) if plain.parts[0] == entry.label else f"{entry.label}/{plain}"
    placed(entry.path, out / name)
    row: dict[str, Any] = {
        "path": name,
        "label": entry.label,
        "generator": entry.generator,
        "family": family if entry.label == "fake" else "",
        "hard_of": entry.family,
        "kind": entry.kind,
        "treatment": entry.treatment,
        "attack": entry.attack,
        "group": entry.group,
        "split": entry.split if split else "",
    }
    if entry.mask is not None:
        row["mask"] = str(PurePosixPath("mask", name).with_suffix(".png"))
        placed(entry.mask, out / row["mask"])
    return row
