"""Where a key's pilot lies in a picture: at which scale, turned how, shifted how far.

Every scale, turn and shift is tried with the longer waves alone, which are told on a coarse grid. The best of
these are looked at with all waves, and what still stands out then is followed to where it is loudest. In most
pictures that carry no mark nothing does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from provenance.watermark.carriers import HIGHEST, Whole, carriers
from provenance.watermark.rings import TURNS, Ring, Waves, ring
from provenance.watermark.spectra import FEWEST, LIKELY, MOST, Tiles, Views

PLACES = 256  # shifts along a tile's side that are told apart
UNIT = 0.009  # tiles along the mean side: scales that are told apart
LIKELY_SHIFTS = 80  # tried at once at a likely scale, with all waves
# The longer waves, at every sixth scale, on a grid that still tells them.
LONGER, COARSE_SHIFTS, COARSE_UNITS = 24, 50, 6
CANDIDATES, FOLLOWED = 12, 3
FAINT = 5.5  # deviations below which no candidate is followed: following gains a third of a mark at most
REACH, SKEW = 3, 2  # units: how far a candidate's scale is followed, and then each of its axes
COARSE = math.ceil((MOST - FEWEST) / UNIT / COARSE_UNITS)
# Pairs of scales, down and across, that may ever be looked at: in units, and the same around likely ones.
PAIRS = (COARSE_UNITS * COARSE + 2 * (REACH + SKEW)) * (4 * SKEW + 1)
LIKELY_PAIRS = LIKELY * (2 * (REACH + SKEW) + 1) * (4 * SKEW + 1)
AT_ONCE = 5  # scales; what is made of them stays in a processor's cache

Deviations = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where a pilot may lie: tiles along the mean side, turned how, and shifted by how much of `PLACES`."""

    down: float
    across: float
    turn: int
    y: int
    x: int


@dataclass(frozen=True)
class Found:
    """How loud the pilot is at a place, in deviations, and the picture's waves there, turned back.

    `likely` is that it lies at a likely scale itself.
    """

    deviations: float
    place: Place
    waves: Waves
    likely: bool = False


def search(views: Views, key: bytes) -> Iterator[Found]:
    """What is found of a key's pilot, the cheapest places to look at first."""
    places = _loudest(views, views.likely(), key, HIGHEST, shifts=LIKELY_SHIFTS)[:LIKELY]
    looks = [replace(look, likely=True) for look in _looks(views, places, key, reach=2)] if places else []
    yield from looks
    tiles = np.asarray(FEWEST + COARSE_UNITS * UNIT * np.arange(COARSE), np.float64)
    places = _loudest(views, tiles, key, LONGER, shifts=COARSE_SHIFTS)[:CANDIDATES]
    looks = sorted([*looks, *_looks(views, places, key, reach=6, step=2)], key=lambda look: -look.deviations)
    for look in looks[:FOLLOWED]:
        if look.deviations >= FAINT:
            yield _followed(views, look.place, key)
    yield from looks[:1]


def _loudest(views: Views, tiles: Tiles, key: bytes, highest: int, *, shifts: int) -> list[Place]:
    """The best shift at each scale, turned each way, by waves of up to `highest` cycles: loudest first."""
    of, found = ring(highest), []
    waves = views.waves(tiles, tiles, of)
    deviations = np.maximum(_deviations(waves, key, of), 1e-9)
    for first, sums in _sums(waves, key, of, shifts):
        best = sums.argmax(axis=1)
        for row, shift in enumerate(best.tolist()):
            scale, turn = divmod(first + row, len(TURNS))
            x, y = (round(place * PLACES / shifts) for place in divmod(shift, shifts))
            loud = float(sums[row, shift] / deviations[scale, turn])
            found.append((loud, Place(float(tiles[scale]), float(tiles[scale]), turn, y, x)))
    return [place for _, place in sorted(found, key=lambda one: -one[0])]


def _looks(views: Views, places: Sequence[Place], key: bytes, *, reach: int, step: int = 1) -> list[Found]:
    """What all waves say at places: for each the best shift of those up to `reach` away."""
    whole = ring(HIGHEST)
    pilot, phases = _pilot(key, HIGHEST)
    names = ("down", "across", "turn", "y", "x")
    at = {name: np.array([getattr(place, name) for place in places]) for name in names}
    turned = whole.turned(views.waves(at["down"], at["across"], whole), at["turn"])
    down, across = whole.down[pilot], whole.across[pilot]
    spectra = np.zeros((len(places), 2 * HIGHEST + 1, HIGHEST), np.complex64)
    spectra[:, down + HIGHEST, across - 1] = turned[:, pilot] * phases
    shifts = np.arange(-reach, reach + 1, step)
    ys, xs = np.add.outer(at["y"], shifts), np.add.outer(at["x"], shifts)  # (n, shifts)
    rows = _roots()[np.multiply.outer(ys, np.arange(-HIGHEST, HIGHEST + 1)) % PLACES]
    columns = _roots()[np.multiply.outer(xs, np.arange(1, HIGHEST + 1)) % PLACES]
    sums = (rows @ spectra @ columns.transpose(0, 2, 1)).real
    y, x = np.divmod(sums.reshape(len(places), -1).argmax(axis=1), len(shifts))
    y, x = at["y"] + shifts[y], at["x"] + shifts[x]
    # Once more in double precision, so that the bound is not above what rounding made of it.
    angles = 2 * np.pi / PLACES * (np.multiply.outer(y, down) + np.multiply.outer(x, across))
    said = turned[:, pilot] * np.exp(1j * (angles - carriers(key).phases[pilot]))
    loud = said.real.sum(axis=1) / np.maximum(np.sqrt((np.abs(said) ** 2).sum(axis=1) / 2), 1e-9)
    return [
        Found(float(loud[n]), replace(place, y=int(y[n]), x=int(x[n])), turned[n])
        for n, place in enumerate(places)
    ]


def _followed(views: Views, place: Place, key: bytes) -> Found:
    """What a candidate becomes at the best scale near it, the axes apart."""
    units, apart = range(-REACH, REACH + 1), range(-SKEW, SKEW + 1)
    place = _best(views, place, key, [(unit, unit) for unit in units]).place
    return _best(views, place, key, list(product(apart, apart)))


def _best(views: Views, place: Place, key: bytes, units: Sequence[tuple[int, int]]) -> Found:
    """The best of scales that are so many units away, down and across."""
    near = [
        replace(place, down=place.down + UNIT * down, across=place.across + UNIT * across)
        for down, across in units
    ]
    return max(_looks(views, near, key, reach=4), key=lambda look: look.deviations)


def _sums(waves: Waves, key: bytes, of: Ring, shifts: int) -> Iterator[tuple[int, Deviations]]:
    """Sums (rows, shifts * shifts) of real parts over the pilot of waves (n, waves), at shifts across, down.

    Rows are all turns of one scale after another; the first one's number comes with them. They are made by
    two products of matrices: for so few waves that is quicker than a fast transform.
    """
    pilot, phases = _pilot(key, of.highest)
    order, mirrored = of.order[:, pilot], of.mirrored[:, pilot]
    down, across = _shifted(of.highest, shifts)
    places = (of.across[pilot] - 1) * (2 * of.highest + 1) + of.down[pilot] + of.highest
    spectra = np.zeros((AT_ONCE * len(TURNS), of.highest * (2 * of.highest + 1)), np.complex64)
    for first in range(0, len(waves), AT_ONCE):
        taken = waves[first : first + AT_ONCE].take(order, axis=1)  # (scales, 8, pilots)
        np.conjugate(taken, out=taken, where=mirrored)
        taken *= phases
        rows = len(taken) * len(TURNS)
        spectra[:rows, places] = taken.reshape(rows, -1)
        columns = spectra[:rows].view(np.float32).reshape(rows * of.highest, -1) @ down
        sums = across @ columns.reshape(rows, -1, shifts)
        yield first * len(TURNS), sums.reshape(rows, shifts * shifts)


def _deviations(waves: Waves, key: bytes, of: Ring) -> Deviations:
    """The deviations (n, 8) of such sums, were the phases of all waves random."""
    power = waves.real**2 + waves.imag**2
    return np.asarray(np.sqrt(power @ _turned_pilot(key, of.highest) / 2))


@lru_cache(maxsize=16)
def _pilot(key: bytes, highest: int) -> tuple[Whole, Waves]:
    """The places of the pilot's waves in a ring, and what takes their phases away."""
    known, kept = carriers(key), ring(highest).kept
    place = np.flatnonzero(np.isin(kept, known.pilot))
    return place, np.exp(-1j * known.phases[kept[place]]).astype(np.complex64)


@lru_cache(maxsize=16)
def _turned_pilot(key: bytes, highest: int) -> Deviations:
    """1 where a wave (waves, 8) is one of the pilot's in a turned picture, else 0."""
    of = ring(highest)
    marks = np.zeros((len(TURNS), len(of.kept)), np.float32)
    np.put_along_axis(marks, of.order[:, _pilot(key, highest)[0]], 1, axis=1)
    return marks.T


@lru_cache(maxsize=1)
def _roots() -> Waves:
    return np.asarray(np.exp(2j * np.pi * np.arange(PLACES) / PLACES), np.complex64)


@lru_cache(maxsize=2)
def _shifted(highest: int, shifts: int) -> tuple[Deviations, Deviations]:
    """What turns waves into their sum at every shift: first those down, then the real part of all.

    Real and imaginary parts of waves alternate along rows of the one and columns of the other.
    """
    places = np.arange(shifts) * 2 * np.pi / shifts
    angles = np.multiply.outer(np.arange(-highest, highest + 1), places)
    cos, sin = np.cos(angles), np.sin(angles)
    down = np.stack([np.hstack([cos, sin]), np.hstack([-sin, cos])], axis=1).reshape(-1, 2 * shifts)
    angles = np.multiply.outer(places, np.arange(1, highest + 1))
    across = np.stack([np.cos(angles), -np.sin(angles)], axis=2).reshape(shifts, -1)
    return down.astype(np.float32), across.astype(np.float32)
