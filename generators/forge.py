"""The forge: each real picture goes through decoders of ours and comes back as an aligned twin.

A twin shares its real's content, size, colours and delivery; what differs is what the decoder left
behind. That is what lets a detector learn forgeries instead of formats (DDA, 2505.14359; Aligned
Forensics, 2410.11835). Some twins are forged in a region only, the background restored before the
file is written (B-Free, 2412.17671), and carry a mask.

The folder holds `manifest.jsonl`, `real/*`, `fake/<family>/*` and `mask/*`. Every file is a function
of (seed, key, decoder), so an interrupted forge goes on where it stopped and ends the same.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from evidence.medium import Pixels
from generators.data.shards import Item
from generators.delivery import blended, deliver, png, soft_region
from generators.settle import settle
from generators.training.budget import seed_at
from generators.training.checkpoint import write_bytes
from generators.twins import Member

MANIFEST = "manifest.jsonl"

Reconstruct = Callable[[str, Pixels], Pixels]


@dataclass(frozen=True)
class ForgeOptions:
    """How twins are made.

    Reals of the "test" split pass through every decoder, others through `per_item` that are not held
    out. `partial` is the share of twins forged in a region only. `crop` cuts larger pictures to a
    random native window of that many pixels a side, the real as well. `processes` counts workers.
    """

    seed: int = 0
    per_item: int = 3
    partial: float = 0.25
    crop: int | None = None
    processes: int = 2


@dataclass(frozen=True)
class Progress:
    """How far a forge is: reals done of all, and twins written in this sitting."""

    done: int
    total: int
    twins: int


def forge_twins(
    items: Iterable[Item],
    members: Sequence[Member],
    reconstruct: Reconstruct,
    out: Path,
    options: ForgeOptions = ForgeOptions(),
    on_progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Forge twins of `items` into the folder `out`; returns the path of its manifest.

    `reconstruct` must be picklable when `options.processes` is above one. Rows already in the manifest
    are kept and their reals skipped.
    """
    manifest = out / MANIFEST
    done = _resumed(manifest)
    wanted = [(item, _chosen(item, members, options)) for item in items]
    tasks = [
        _Task(item, tuple(missing), out, options)
        for item, chosen in wanted
        if (missing := [member for member in chosen if member.name not in done.get(_stem(item), ())])
    ]
    finished, twins = len(wanted) - len(tasks), 0
    with manifest.open("a", encoding="utf-8") as stream:
        for real, fakes in _forged(tasks, reconstruct, options.processes):
            rows = fakes if real["key"] in done else [real, *fakes]
            stream.write("".join(json.dumps(row) + "\n" for row in rows))
            stream.flush()
            finished, twins = finished + 1, twins + len(fakes)
            if on_progress is not None:
                on_progress(Progress(finished, len(wanted), twins))
    return manifest


@dataclass(frozen=True)
class _Task:
    """One real and the decoders it still has to pass through."""

    item: Item
    members: tuple[Member, ...]
    out: Path
    options: ForgeOptions


_Row = dict[str, Any]
_Forged = tuple[_Row, list[_Row]]


def _forged(tasks: list[_Task], reconstruct: Reconstruct, processes: int) -> Iterator[_Forged]:
    """The rows of each task, in order, made here or in worker processes of one thread each."""
    if processes <= 1 or len(tasks) <= 1:
        yield from (_forge(task, reconstruct) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_prepare, initargs=(reconstruct,)) as pool:
        yield from pool.imap(_forge_in_worker, tasks)


_reconstruct: Reconstruct | None = None


def _prepare(reconstruct: Reconstruct) -> None:
    global _reconstruct
    _reconstruct = reconstruct
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _forge_in_worker(task: _Task) -> _Forged:
    assert _reconstruct is not None
    return _forge(task, _reconstruct)


def _forge(task: _Task, reconstruct: Reconstruct) -> _Forged:
    """Write a real and its twins; returns their manifest rows."""
    item, out, stem = task.item, task.out, _stem(task.item)
    real = deliver(item.data, task.options.crop, _rng(task.options.seed, stem, "crop"))
    name = f"{stem}.{real.extension}"
    row = {
        "path": f"real/{name}",
        "key": stem,
        "label": "real",
        **dict.fromkeys(("generator", "family", "upsampler", "factor", "twin_of", "mask")),
        "group": item.group,
        "split": item.split,
        "source": item.source,
        "width": real.pixels.shape[1],
        "height": real.pixels.shape[0],
        "quality": None if real.history is None else real.history.quality,
        "seed": task.options.seed,
        "as_published": real.as_published,
        "sha256": hashlib.sha256(real.data).hexdigest(),
    }
    write_bytes(out / row["path"], real.data)
    fakes = []
    for member in task.members:
        rng = _rng(task.options.seed, stem, member.name)
        twin = settle(reconstruct(member.name, real.pixels), real.pixels)
        mask = None
        if rng.random() < task.options.partial:
            alpha = soft_region(rng, *twin.shape[:2])
            twin, mask = blended(real.pixels, twin, alpha), f"mask/{stem}.{member.name}.png"
            write_bytes(out / mask, png((alpha >= 0.5).astype(np.uint8) * 255))
        data = real.encode(twin)
        path = f"fake/{member.family}/{stem}.{member.name}.{real.extension}"
        write_bytes(out / path, data)
        traits = {"generator": member.name, "family": member.family, "upsampler": member.upsampler}
        fakes.append(
            row
            | traits
            | {"path": path, "label": "fake", "factor": member.factor, "twin_of": row["path"], "mask": mask}
            | {"as_published": False, "sha256": hashlib.sha256(data).hexdigest()}
        )
    return row, fakes


def _chosen(item: Item, members: Sequence[Member], options: ForgeOptions) -> list[Member]:
    if item.split == "test":
        return list(members)
    seen = [member for member in members if not member.held_out]
    order = _rng(options.seed, _stem(item), "decoders").permutation(len(seen))
    return [seen[place] for place in sorted(order[: options.per_item])]


def _resumed(manifest: Path) -> dict[str, set[str]]:
    """The decoders each real has passed, by its key; a line cut short by a kill is dropped."""
    manifest.parent.mkdir(parents=True, exist_ok=True)
    text = manifest.read_text("utf-8") if manifest.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_bytes(manifest, whole.encode())
    passed: dict[str, set[str]] = {}
    for row in map(json.loads, whole.splitlines()):
        passed.setdefault(row["key"], set())
        if row["label"] == "fake":
            passed[row["key"]].add(row["generator"])
    return passed


def _stem(item: Item) -> str:
    return re.sub(r"[^\w.-]", "_", f"{item.source}-{item.key}")


def _rng(seed: int, stem: str, role: str) -> np.random.Generator:
    return np.random.default_rng(seed_at(seed, 0, f"forge:{stem}:{role}"))
