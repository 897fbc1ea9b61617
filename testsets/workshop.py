"""Twins from everything that forges here: decoders, the shipped generators, self-blending, splices.

What reads a picture is given the real; what draws faces from noise is set beside real faces brought to its
size in the way its training data was. Whatever is done to a real after that is done to its forgery, and both
are written alike, so that neither size nor content nor delivery tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detector.corrupt import Step
from detector.operations import KERNELS
from detector.treatments import TREATMENTS, treat
from evidence.errors import DataError
from evidence.medium import Pixels
from exports.editing import Box, Edited, edit
from exports.forging import Forger
from exports.registry import ModelEntry, registry
from exports.runtime import GeneratorSession
from generators.data.memory import decode, fitted
from generators.data.pairs import CAMVID
from generators.data.shards import CENTRE
from generators.delivery import Delivery, deliver
from generators.forge import Forged, ForgeOptions, Order, Rebuilding
from generators.settle import SIGMA, settle
from generators.twins import Family, Member
from testsets.selfblend import self_blend
from testsets.splices import splice
from testsets.suite import generators_in, side_of
from testsets.treated import Treated, drawn_writing, treated

Rng = np.random.Generator

SQUARES = "squares"  # treatment "squares-64": faces as squares of 64 px, as generators learn them
STREETS = "street"  # a photograph of a pair, at the size of the generator that draws it from a label map
STREET_SIDE = 128
SHEET = 128  # a sheet of small faces is about so wide
_ALONE = 0.4  # of the squares are one face enlarged, the others a sheet at native size

SELF_BLENDED = Member("self-blended", "self-blended", "", kind="self-blended")
SPLICED = Member("splice", "splice", "", kind="splice")
_SAMPLED = ("noise", "caption")
_SETTLED = ("translation",)


@dataclass
class Suite:
    """The workshop of a release: `family` holds the decoders' runs, `seed` draws holes and conditions."""

    family: Family
    seed: int = 0
    models: Sequence[Path] = ()
    _forgers: dict[str, Forger] = field(default_factory=dict, repr=False)

    def deliver(self, order: Order, options: ForgeOptions, rng: Rng) -> Delivery:
        """The real of an order: as published, or under its treatment."""
        name, item = order.treatment, order.item
        if not name:
            return deliver(item.data, options.crop, rng)
        if name in TREATMENTS:
            pixels = deliver(item.data, options.crop, rng).pixels
            return _written(pixels, treat(name, rng), rng)
        pixels, chain = (
            _squares(order, int(name.split("-")[1]), rng) if name.startswith(SQUARES) else _street(order, rng)
        )
        return _written(pixels, chain, rng)

    def forge(self, order: Order, member: Member, real: Pixels, rng: Rng) -> Forged:
        """What a member makes of the real of an order."""
        if member.kind == "reconstruction":
            return Rebuilding(self.family).forge(order, member, real, rng)
        if member.kind == "self-blended":
            return Forged(*self_blend(real, order.item.meta["p5"], rng))
        if member.kind == "splice":
            return Forged(*splice(real, decode(order.item.meta["donor"], "donor"), rng))
        if order.treatment.startswith(SQUARES):
            return Forged(self._cells(order, member, real))
        if order.treatment == STREETS:
            made = edit(self._forger(member).session, _label_map(order)).pixels
            return Forged(settle(made, real))
        edited = self._edited(order, member, real)
        whole = member.kind in _SETTLED
        return Forged(settle(edited.pixels, real)) if whole else Forged(edited.pixels, edited.made)

    def _edited(self, order: Order, member: Member, real: Pixels) -> Edited:
        forger = self._forger(member)
        forger.find_face = _face_of(order)
        return forger(order.stem, real)[0]

    def _cells(self, order: Order, member: Member, real: Pixels) -> Pixels:
        """A sheet of squares, each forged by itself and given the real square's rough light."""
        forger, side = self._forger(member), int(order.treatment.split("-")[1])
        forger.find_face = None
        result = real.copy()
        for top in range(0, real.shape[0], side):
            for left in range(0, real.shape[1], side):
                cell = slice(top, top + side), slice(left, left + side)
                made = forger(f"{order.stem}:{top}:{left}", real[cell])[0].pixels
                result[cell] = settle(made, real[cell], SIGMA * side / 128)
        return result

    def _forger(self, member: Member) -> Forger:
        if member.name not in self._forgers:
            entry = registry(*self.models).get(member.name)
            self._forgers[member.name] = Forger(GeneratorSession(entry, threads=1), self.seed)
        return self._forgers[member.name]


def suite_members(*folders: Path) -> dict[Member, int]:
    """The newest of each installed generator of colour pictures with the side of its squares, 0 if free.

    The reconstruction family is not among them: its decoders come from their runs.
    """
    return {
        _member(entry): side_of(entry) or 0
        for entry in generators_in(registry(*folders))
        if entry.task != "reconstruction"
    }


def _member(entry: ModelEntry) -> Member:
    system = entry.tags.get("family") or entry.tags.get("system", entry.name)
    kind = "sample" if entry.task in _SAMPLED else entry.task
    return Member(entry.name, system, entry.tags.get("upsampler", ""), kind=kind)


def _written(pixels: Pixels, chain: tuple[Step, ...], rng: Rng) -> Treated:
    """A treated real, as a JPEG of drawn quality and sampling or, at times, as PNG."""
    return treated(pixels, chain, drawn_writing(rng).history)


def _squares(order: Order, side: int, rng: Rng) -> tuple[Pixels, tuple[Step, ...]]:
    """Faces as generators of `side` px learn them: one, to be enlarged, or a sheet of several."""
    item = order.item
    centre = CENTRE[item.source]
    others: list[bytes] = item.meta["others"]
    across = max(1, SHEET // side)
    if rng.random() < _ALONE or len(others) < across * across - 1:
        factor = float(rng.uniform(1.0, max(1.5, 192 / side)))
        chain = (Step("resize", {"factor": factor, "kernel": str(rng.choice(KERNELS))}),)
        return fitted(decode(item.data, item.key), side, "square", centre), chain
    cells = [
        fitted(decode(data, item.key), side, "square", centre)
        for data in (item.data, *others[: across * across - 1])
    ]
    rows = [np.concatenate(cells[row * across : (row + 1) * across], axis=1) for row in range(across)]
    return np.concatenate(rows), ()


def _street(order: Order, rng: Rng) -> tuple[Pixels, tuple[Step, ...]]:
    factor = float(rng.uniform(1.0, 1.8))
    chain = (Step("resize", {"factor": factor, "kernel": str(rng.choice(KERNELS))}),)
    native = rng.random() < 0.5
    return fitted(decode(order.item.data, order.item.key), STREET_SIDE, "square"), () if native else chain


def _label_map(order: Order) -> Pixels:
    if order.item.pair is None:
        raise DataError(f"{order.stem} has no label map.", "Order streets from a set of pairs.")
    classes = cv2.imdecode(np.frombuffer(order.item.pair, np.uint8), cv2.IMREAD_UNCHANGED)
    small = cv2.resize(classes, (STREET_SIDE, STREET_SIDE), interpolation=cv2.INTER_NEAREST)
    colours = np.array(list(CAMVID.values()), np.uint8)
    return np.ascontiguousarray(colours[small])


def _face_of(order: Order) -> Any:
    """Where a face system looks: the square that it learned faces in."""

    def find(pixels: Pixels) -> Box:
        side = round(min(pixels.shape[:2]) * CENTRE.get(order.item.source, 1.0))
        return (pixels.shape[1] - side) // 2, (pixels.shape[0] - side) // 2, side, side

    return find
