"""A new family of forgeries beside the twins that a detector knows: what `--add` trains on.

A forgery with a twin in its folder keeps it. One without is laid beside a genuine picture of the same split
from the known twins: both are cut to their common size and written with the same JPEG tables, so that neither
size nor delivery tells them apart. Nothing of the known twins is copied; the table names them where they lie.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.entries import Entry
from detector.readers import MANIFEST, read
from evidence.errors import DataError
from evidence.files import write_whole
from evidence.image import decode_image
from evidence.jpeg import SAMPLINGS, encode_jpeg, encode_like
from evidence.medium import JpegHistory, Pixels

FEWEST = 30  # forgeries that are learned from and judged by
SMALLEST = 64  # pixels; smaller pairs show too little
QUALITY = 95  # of both sides where the forgery was lossless
SHARES = (("train", 0.6), ("cal", 0.8), ("test", 1.0))  # by group, where the folder has no splits
SPLITS = tuple(name for name, _ in SHARES)


@dataclass(frozen=True)
class Addition:
    """The folder that is trained on, the families that are new in it, and how many forgeries have a split."""

    folder: Path
    families: tuple[str, ...]
    counts: dict[str, int]


def add(twins: Path, added: Path, out: Path) -> Addition:
    """Write `out`/manifest.jsonl, which names the twins and the forgeries of `added`, and the pairs it lacks.

    `added` is any labelled collection that `touchstone evaluate` reads; its forgeries are named by family,
    generator or, last, the folder. Raises DataError with fewer than `FEWEST` forgeries, with none in a
    split, or where a forgery is of a family that the twins have.
    """
    known, given = read(twins), read(added)
    fakes = [_named(entry, added) for entry in given if entry.label == "fake"]
    reals = {entry.key: _named(entry, added) for entry in given if entry.label == "real"}
    families = tuple(sorted({entry.family for entry in fakes}))
    doubled = set(families) & {entry.family for entry in known}
    counts = {split: sum(entry.split == split for entry in fakes) for split in SPLITS}
    if doubled:
        raise DataError(
            f"The detector's twins hold {', '.join(sorted(doubled))} already.",
            "Give the new forgeries a name of their own in the column family.",
        )
    if len(fakes) < FEWEST or not all(counts.values()):
        found = ", ".join(f"{count} to {split}" for split, count in counts.items())
        raise DataError(f"{added} holds {len(fakes)} forgeries: {found}.", f"Give {FEWEST} or more in all.")
    rows = [_row(entry, twins, entry.source) for entry in known]
    rows += [_row(entry, added, NEW) for entry in reals.values()]
    pool = {split: _genuine(known, split) for split in SPLITS}
    for entry in fakes:
        if entry.twin_of in reals:
            rows.append(_row(entry, added, NEW))
        else:
            rows += _beside(entry, pool[entry.split], out)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write_whole(out / MANIFEST, lines.encode("utf-8", "surrogateescape"))
    return Addition(out, families, counts)


NEW = "added"  # the source under which new forgeries are drawn


def _named(entry: Entry, added: Path) -> Entry:
    """The entry with a family, a group and a split, whatever its layout says."""
    family = (entry.family or entry.generator or added.resolve().name) if entry.label == "fake" else ""
    split = "cal" if entry.split == "val" else entry.split
    if split not in SPLITS:
        place = int.from_bytes(hashlib.sha256((entry.group or entry.key).encode()).digest()[:8]) / 2**64
        split = next(name for name, below in SHARES if place < below)
    return replace(entry, family=family, split=split)


def _row(entry: Entry, root: Path, source: str) -> dict[str, Any]:
    """A row of the table, its paths absolute."""
    return {
        "path": str((root / entry.key).resolve()),
        "label": entry.label,
        "generator": entry.generator,
        "family": entry.family,
        "kind": entry.kind,
        "twin_of": str((root / entry.twin_of).resolve()) if entry.twin_of else None,
        "mask": str(entry.mask.resolve()) if entry.mask else None,
        "treatment": entry.treatment,
        "group": entry.group,
        "split": entry.split,
        "source": source,
    }


def _genuine(known: Sequence[Entry], split: str) -> list[Entry]:
    found = [entry for entry in known if entry.label == "real" and entry.split == split]
    if not found:
        raise DataError(
            f"The twins hold no genuine picture of split {split!r}.", "Name a folder that the forge made."
        )
    return found


def _beside(entry: Entry, reals: Sequence[Entry], out: Path) -> list[dict[str, Any]]:
    """Two rows: the forgery and a genuine picture, both cut to their common size and written alike."""
    info, fake = decode_image(entry.path)
    digest = hashlib.sha256(entry.key.encode("utf-8", "surrogateescape")).digest()
    place = int.from_bytes(digest[:8])
    for attempt in range(len(reals)):
        chosen = reals[(place + attempt) % len(reals)]
        real = decode_image(chosen.path)[1]
        height, width = (min(sides) for sides in zip(real.shape[:2], fake.shape[:2], strict=True))
        if min(height, width) >= min(2 * SMALLEST, *fake.shape[:2]):
            break
    if min(height, width) < SMALLEST:
        raise DataError(
            f"{entry.key} is {fake.shape[1]} x {fake.shape[0]} px.", f"Leave out what is below {SMALLEST} px."
        )
    name = f"{digest[:8].hex()}.jpg"
    common = {"group": entry.group, "split": entry.split, "source": NEW}
    sides = {
        "real": (real, {"label": "real", "treatment": chosen.treatment}),
        "fake": (fake, {"label": "fake", "family": entry.family, "kind": "sample"}),
    }
    rows = []
    for label, (pixels, words) in sides.items():
        path = out / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _written(pixels[:height, :width], info.jpeg))
        rows.append({"path": str(path.resolve()), **words, **common})
    rows[1]["twin_of"] = rows[0]["path"]
    return rows


def _written(pixels: Pixels, history: JpegHistory | None) -> bytes:
    if history is not None and history.sampling in SAMPLINGS:
        return encode_like(np.ascontiguousarray(pixels), history)
    return encode_jpeg(np.ascontiguousarray(pixels), QUALITY)
