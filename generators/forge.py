"""The forge: each real picture goes through forgers of ours and comes back as an aligned twin.

A twin shares its real's content, size, colours and delivery; what differs is what the decoder left
behind. That is what lets a detector learn forgeries instead of formats (DDA, 2505.14359; Aligned
Forensics, 2410.11835). Some twins are forged in a region only, the background restored before the
file is written (B-Free, 2412.17671), and carry a mask.

The folder holds `manifest.jsonl`, `real/*`, `fake/<family>/*` and `mask/*`. Every file is a function
of (seed, key, forger), so an interrupted forge goes on where it stopped and ends the same.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from evidence.medium import Pixels
from generators.data.shards import Item
from generators.delivery import Delivery, blended, deliver, png, soft_region
from generators.settle import settle
from generators.training.budget import seed_at
from generators.training.checkpoint import write_bytes
from generators.twins import Member

MANIFEST = "manifest.jsonl"

Reconstruct = Callable[[str, Pixels], Pixels]
Rng = np.random.Generator


@dataclass(frozen=True)
class ForgeOptions:
    """How twins are made.

    `partial` is the share of rebuilt twins that are forged in a region only, `crop` cuts larger pictures
    to a random native window of that many pixels a side, the real as well. `processes` counts workers.
    """

    seed: int = 0
    partial: float = 0.25
    crop: int | None = None
    processes: int = 2


@dataclass(frozen=True)
class Order:
    """A real, what is done to it and its twins alike (nothing, or the name of a treatment), and by whom."""

    item: Item
    members: tuple[Member, ...]
    treatment: str = ""

    @property
    def stem(self) -> str:
        """The name of the real; the same picture under another treatment has another."""
        treated = f".{self.treatment}" if self.treatment else ""
        return re.sub(r"[^\w.-]", "_", f"{self.item.source}-{self.item.key}{treated}")


class Forged(NamedTuple):
    """A forgery in the size of its real, and where it was forged, bool (H, W); None where all of it was."""

    pixels: Pixels
    made: NDArray[np.bool_] | None = None


class Workshop(Protocol):
    """Makes twins; must be picklable when there are several processes."""

    def deliver(self, order: Order, options: ForgeOptions, rng: Rng) -> Delivery: ...

    def forge(self, order: Order, member: Member, real: Pixels, rng: Rng) -> Forged: ...


@dataclass(frozen=True)
class Rebuilding:
    """The workshop of decoders alone: each real as published, its twins rebuilt and settled."""

    reconstruct: Reconstruct

    def deliver(self, order: Order, options: ForgeOptions, rng: Rng) -> Delivery:
        return deliver(order.item.data, options.crop, rng)

    def forge(self, order: Order, member: Member, real: Pixels, rng: Rng) -> Forged:
        return Forged(settle(self.reconstruct(member.name, real), real))


@dataclass(frozen=True)
class Progress:
    """How far a forge is: reals done of all, and twins written in this sitting."""

    done: int
    total: int
    twins: int


def forge_twins(
    orders: Iterable[Order],
    workshop: Workshop,
    out: Path,
    options: ForgeOptions = ForgeOptions(),
    on_progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Forge the twins of each order into the folder `out`; returns the path of its manifest.

    Rows already in the manifest are kept and their twins not made again.
    """
    manifest = out / MANIFEST
    done = _resumed(manifest)
    wanted = list(orders)
    tasks = [
        _Task(order, tuple(missing), out, options)
        for order in wanted
        if (missing := [each for each in order.members if each.name not in done.get(order.stem, ())])
    ]
    finished, twins = len(wanted) - len(tasks), 0
    with manifest.open("a", encoding="utf-8") as stream:
        for real, fakes in _forged(tasks, workshop, options.processes):
            rows = fakes if real["key"] in done else [real, *fakes]
            stream.write("".join(json.dumps(row) + "\n" for row in rows))
            stream.flush()
            finished, twins = finished + 1, twins + len(fakes)
            if on_progress is not None:
                on_progress(Progress(finished, len(wanted), twins))
    return manifest


def some_of(item: Item, members: Sequence[Member], count: int, seed: int = 0) -> tuple[Member, ...]:
    """`count` of the members for this picture, evenly over many pictures, in their own order."""
    order = _rng(seed, Order(item, ()).stem, "decoders").permutation(len(members))
    return tuple(members[place] for place in sorted(order[:count]))


@dataclass(frozen=True)
class _Task:
    """An order and the members that it still has to pass through."""

    order: Order
    members: tuple[Member, ...]
    out: Path
    options: ForgeOptions


_Row = dict[str, Any]
_Rows = tuple[_Row, list[_Row]]


def _forged(tasks: list[_Task], workshop: Workshop, processes: int) -> Iterator[_Rows]:
    """The rows of each task, in order, made here or in worker processes of one thread each."""
    if processes <= 1 or len(tasks) <= 1:
        yield from (_forge(task, workshop) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_prepare, initargs=(workshop,)) as pool:
        yield from pool.imap(_forge_in_worker, tasks)


_workshop: Workshop | None = None


def _prepare(workshop: Workshop) -> None:
    global _workshop
    _workshop = workshop
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _forge_in_worker(task: _Task) -> _Rows:
    assert _workshop is not None
    return _forge(task, _workshop)


def _forge(task: _Task, workshop: Workshop) -> _Rows:
    """Write a real and its twins; returns their manifest rows."""
    order, out, stem, seed = task.order, task.out, task.order.stem, task.options.seed
    real = workshop.deliver(order, task.options, _rng(seed, stem, "crop"))
    width, height = real.size
    path = f"real/{stem}.{real.extension}"
    row: _Row = {
        "path": path,
        "key": stem,
        "label": "real",
        **dict.fromkeys(("generator", "family", "upsampler", "factor", "kind", "twin_of", "mask")),
        "treatment": order.treatment,
        "group": order.item.group,
        "split": order.item.split,
        "source": order.item.source,
        "width": width,
        "height": height,
        "quality": None if real.history is None else real.history.quality,
        "seed": seed,
        "as_published": real.as_published,
        "sha256": hashlib.sha256(real.data).hexdigest(),
    }
    write_bytes(out / path, real.data)
    fakes = []
    for member in task.members:
        rng = _rng(seed, stem, member.name)
        twin, made = workshop.forge(order, member, real.pixels, rng)
        if member.kind == "reconstruction" and rng.random() < task.options.partial:
            alpha = soft_region(rng, *twin.shape[:2])
            twin, made = blended(real.pixels, twin, alpha), alpha >= 0.5
        mask = None
        if made is not None:
            mask = f"mask/{stem}.{member.name}.png"
            write_bytes(out / mask, png(real.place(made.astype(np.uint8) * 255)))
        data = real.encode(twin)
        path = f"fake/{member.family}/{stem}.{member.name}.{real.extension}"
        write_bytes(out / path, data)
        fakes.append(
            row
            | {"generator": member.name, "family": member.family, "upsampler": member.upsampler}
            | {"factor": member.factor, "kind": member.kind}
            | {"path": path, "label": "fake", "twin_of": row["path"], "mask": mask}
            | {"as_published": False, "sha256": hashlib.sha256(data).hexdigest()}
        )
    return row, fakes


def _resumed(manifest: Path) -> dict[str, set[str]]:
    """The members each real has passed, by its key; a line cut short by a kill is dropped."""
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


def _rng(seed: int, stem: str, role: str) -> np.random.Generator:
    return np.random.default_rng(seed_at(seed, 0, f"forge:{stem}:{role}"))
