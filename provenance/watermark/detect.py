"""Is a key's mark in these pixels, how sure is that, and what does it say?

The picture is brought to every scale at which its tiles could be 64 cells wide, its tiles are laid on one
another, and their spectrum is correlated with the key's pilot at every shift, mirrored and turned too.

The p-value holds for any picture. The phases of a key are uniform and independent, so for given pixels the
correlation c at one place is a sum of |G| cos(U) over the pilot's waves, whose moment generating function is
at most exp(s² Σ|G|² / 4), since the Bessel function I0(x) is at most exp(x² / 4). Hence, by Chernoff's bound,
P(c >= x) <= exp(-x² / Σ|G|²), and by the union bound the best of all places that are ever tried is not above
x with more than their number times that. No model of pictures is involved, and all places are counted even
where the search ends early.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from evidence.medium import Pixels
from provenance.watermark.carriers import band, carriers
from provenance.watermark.code import CODED_BITS, decode, encode
from provenance.watermark.embed import luma
from provenance.watermark.spectra import LIKELY, REFINED, SCALES, TURNS, Scale, Views, Waves, all_turns

FALSE_POSITIVES = 1e-6
SURE = 1e-12  # no further scale is tried

SHIFTS, FINE_SHIFTS = 128, 256  # places tried along a tile's side
BEST = 3  # scales that are looked at more closely
# Half of all false positives may come from the few likely scales, half from all others.
LIKELY_PLACES = 2 * LIKELY * len(TURNS) * (SHIFTS**2 + FINE_SHIFTS**2)
OTHER_PLACES = 2 * len(TURNS) * (SCALES * SHIFTS**2 + (SCALES + LIKELY) * REFINED * FINE_SHIFTS**2)


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
    views = Views([luma(frame) for frame in frames])
    found = [_search(views, scale, key) for scale in views.likely()]
    looks = [_look(views, one.scale, one.turn, key) for one in found]
    if not any(look.p_value <= SURE for look in looks):
        for scale in views.scales():
            found.append(_search(views, scale, key))
            if found[-1].p_value <= SURE:
                break
        for one in sorted(found, reverse=True)[:BEST]:
            looks += [_look(views, scale, one.turn, key) for scale in views.around(one.scale)]
    best = min(looks, key=lambda look: (look.p_value, -look.deviations))
    present = best.p_value <= FALSE_POSITIVES
    if not present:
        return Mark(False, best.p_value)
    payload, agreement = _read(best, key)
    return Mark(True, best.p_value, payload, agreement, views.period(best.scale), TURNS[best.turn])


@dataclass(frozen=True, order=True)
class _Found:
    """The highest correlation at one scale, in deviations, and where it is."""

    deviations: float
    scale: Scale = field(compare=False)
    turn: int = field(compare=False)
    shift: tuple[float, float] = field(compare=False)  # in tiles
    waves: Waves = field(compare=False)

    @property
    def p_value(self) -> float:
        places = LIKELY_PLACES if self.scale.likely else OTHER_PLACES
        return min(1.0, places * math.exp(-(self.deviations**2) / 2))


def _search(views: Views, scale: Scale, key: bytes) -> _Found:
    """The best of all turns and shifts at one scale."""
    return _correlate(all_turns(views.waves(scale)), scale, key, SHIFTS)


def _look(views: Views, scale: Scale, turn: int, key: bytes) -> _Found:
    """The best shift at one scale, told more finely."""
    found = _correlate(all_turns(views.waves(scale))[turn : turn + 1], scale, key, FINE_SHIFTS)
    return replace(found, turn=turn)


def _correlate(turned: Waves, scale: Scale, key: bytes, shifts: int) -> _Found:
    """Correlate waves (turns, waves) with the pilot at `shifts` places down and across."""
    down, across = band()
    known = carriers(key)
    pilot = known.pilot
    aligned = turned[:, pilot] * np.exp(-1j * known.phases[pilot]).astype(np.complex64)
    spectrum = np.zeros((len(turned), shifts, shifts // 2 + 1), np.complex64)
    spectrum[:, down[pilot] % shifts, across[pilot]] = aligned
    surface = np.fft.irfft2(spectrum, s=(shifts, shifts))
    turn, y, x = np.unravel_index(int(np.argmax(surface)), surface.shape)
    shift = (float(y) / shifts, float(x) / shifts)
    # Once more in double precision, so that the bound is not above what rounding made of it.
    angles = 2 * np.pi * (down[pilot] * shift[0] + across[pilot] * shift[1])
    heard = turned[turn].astype(np.complex128)[pilot] * np.exp(1j * (angles - known.phases[pilot]))
    energy = float(np.sum(np.abs(heard) ** 2))
    deviations = float(np.sum(heard.real)) / math.sqrt(energy / 2) if energy else 0.0
    return _Found(deviations, scale, int(turn), shift, turned[turn])


def _read(found: _Found, key: bytes) -> tuple[bytes | None, float | None]:
    """The payload, and how many of the coded bits say it."""
    down, across = band()
    known = carriers(key)
    shift = 2j * np.pi * (down * found.shift[0] + across * found.shift[1])
    heard = (found.waves * np.exp(shift - 1j * known.phases)).real[known.data]
    soft = np.zeros(CODED_BITS)
    np.add.at(soft, np.arange(len(heard)) % CODED_BITS, heard)
    payload = decode(soft)
    if payload is None:
        return None, None
    return payload, float(np.mean(np.sign(soft) == encode(payload)))
