"""Is a key's mark in these pixels, how sure is that, and what does it say?

The spectrum that the picture's tiles have in common is correlated with the key's pilot: at every scale at
which they could be laid, at every shift, mirrored and turned too (`search` tells how).

The p-value holds for any picture. The phases of a key are uniform and independent, so for given pixels the
correlation c at one place is a sum of |G| cos(U) over the pilot's waves, whose moment generating function is
at most exp(s² Σ|G|² / 4), since the Bessel function I0(x) is at most exp(x² / 4). Hence, by Chernoff's bound,
P(c >= x) <= exp(-x² / Σ|G|²), and by the union bound the best of all places that are ever tried is not above
x with more than their number times that. No model of pictures is involved, and all places are counted that
the search could ever lead to, though it looks at few of them and ends early: how it chooses is free.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evidence.medium import Pixels
from provenance.watermark.carriers import band, carriers
from provenance.watermark.code import CODED_BITS, decode, encode
from provenance.watermark.rings import TURNS
from provenance.watermark.search import LIKELY_PAIRS, PAIRS, PLACES, Found, search
from provenance.watermark.spectra import LIKELY, Views

FALSE_POSITIVES = 1e-6
SURE = 1e-12  # no further place is looked at

# Half of all false positives may come from the few likely scales, half from all others.
LIKELY_PLACES = 2 * LIKELY * len(TURNS) * PLACES**2
OTHER_PLACES = 2 * (PAIRS + LIKELY_PAIRS) * len(TURNS) * PLACES**2


@dataclass(frozen=True)
class Mark:
    """What was found of one key's mark.

    `p_value` bounds how often a key that never marked this picture does as well; `present` is that it
    does not exceed `FALSE_POSITIVES`. `payload` is None where the mark is too faint to be read;
    `agreement` is the share of coded bits that say it. `period` is a tile's side in pixels of the picture.
    """

    present: bool
    p_value: float
    payload: bytes | None = None
    agreement: float | None = None
    period: float | None = None
    turned: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; the payload in hexadecimal digits."""
        return {**asdict(self), "payload": None if self.payload is None else self.payload.hex()}


def detect(pixels: Pixels, key: bytes) -> Mark:
    """Look for the mark of `key` in one picture: (H, W), (H, W, 3) or (H, W, 4)."""
    return detect_frames([pixels], key)


def detect_frames(frames: Iterable[Pixels], key: bytes) -> Mark:
    """Look for one mark in several frames of a film, which have one size and carry it at one place."""
    views = Views(list(frames))
    looks: list[Found] = []
    for found in search(views, key):
        looks.append(found)
        if _p_value(found) <= SURE:
            break
    best = min(looks, key=lambda look: (_p_value(look), -look.deviations))
    p_value = _p_value(best)
    if p_value > FALSE_POSITIVES:
        return Mark(False, p_value)
    payload, agreement = _read(best, key)
    period = views.period(best.place.down, best.place.across)
    return Mark(True, p_value, payload, agreement, period, TURNS[best.place.turn])


def _p_value(found: Found) -> float:
    places = LIKELY_PLACES if found.likely else OTHER_PLACES
    return min(1.0, places * math.exp(-(max(0.0, found.deviations) ** 2) / 2))


def _read(found: Found, key: bytes) -> tuple[bytes | None, float | None]:
    """The payload, and how many of the coded bits say it."""
    down, across = band()
    known = carriers(key)
    shift = 2j * np.pi / PLACES * (down * found.place.y + across * found.place.x)
    heard = (found.waves * np.exp(shift - 1j * known.phases)).real[known.data]
    soft = np.zeros(CODED_BITS)
    np.add.at(soft, np.arange(len(heard)) % CODED_BITS, heard)
    payload = decode(soft)
    if payload is None:
        return None, None
    return payload, float(np.mean(np.sign(soft) == encode(payload)))
