"""Films from exported generators, without torch: from seed to seed, through an expression, from side to side.

Each is a function that yields frames RGB uint8 (H, W, 3) of one size; who calls it writes them down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from evidence.errors import UsageError
from evidence.medium import Pixels
from exports.conditions import expression
from exports.editing import Box, edit
from exports.runtime import GeneratorSession
from exports.sampling import drawn, feeds_of
from exports.slots import Array, Feeds, Slot, slot_of, slots_of

FRAMES_PER_SECOND = 24
LEG = 24  # frames from one seed, or one expression, to the next


def interpolation(
    session: GeneratorSession,
    count: int,
    seed: int,
    given: Sequence[Feeds] = (),
    *,
    truncation: float | None = None,
) -> Iterator[Pixels]:
    """From each of `count` samples to the next and back to the first, under the first's conditions.

    Latents go along great circles, where a Gaussian's mass lies (White 2016, 1609.04468); uniform ones in
    straight lines, so that they stay in their cube.
    """
    slots = slots_of(session)
    laws = {slot.name: slot.law for slot in slots.values() if slot.role == "latent"}
    if not laws:
        raise UsageError(f"{session.entry.label} has no latents to go between.", "Name a generator of noise.")
    stations = list(feeds_of(session, count, seed, given, truncation=truncation))
    yield from drawn(session, _between(stations, laws))


def expression_sweep(
    session: GeneratorSession,
    pixels: Pixels,
    targets: Sequence[Array],
    *,
    seed: int = 0,
    box: Box | None = None,
) -> Iterator[Pixels]:
    """The face at rest, into each expression and back."""
    units = _asked(session, "units", "action units")
    rest = expression(units, "neutral")
    for target in targets:
        for frame in range(LEG):
            share = 0.5 - 0.5 * np.cos(2 * np.pi * frame / LEG)
            now = (rest + share * (target - rest)).astype(units.dtype)
            yield edit(session, pixels, {units.name: now}, seed=seed, box=box).pixels


def rotation_sweep(
    session: GeneratorSession, pixels: Pixels, *, seed: int = 0, box: Box | None = None
) -> Iterator[Pixels]:
    """The head from one end of what the model turns to the other, and back."""
    yaw = _asked(session, "yaw", "an angle")
    for frame in range(2 * LEG):
        share = 0.5 - 0.5 * np.cos(np.pi * frame / LEG)
        degrees: Array = np.asarray(yaw.low + share * (yaw.high - yaw.low), yaw.dtype)
        yield edit(session, pixels, {yaw.name: degrees}, seed=seed, box=box).pixels


def slerp(first: Array, second: Array, share: float) -> Array:
    """The point at `share` of the great circle from `first` to `second`; their lengths go in a line.

    >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(3).tolist()
    [0.707, 0.707]
    """
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    cosine = float((first * second).sum() / max(lengths[0] * lengths[1], 1e-12))
    if abs(cosine) > 0.9995:  # nearly one line, or opposite: no one circle through both
        return first + share * (second - first)
    angle = np.arccos(cosine)
    length = lengths[0] + share * (lengths[1] - lengths[0])
    along = np.sin((1 - share) * angle) * first / lengths[0] + np.sin(share * angle) * second / lengths[1]
    return np.asarray(length * along / np.sin(angle))


def _between(stations: Sequence[Feeds], laws: dict[str, str]) -> Iterator[Feeds]:
    for place, here in enumerate(stations):
        there = stations[(place + 1) % len(stations)]
        for frame in range(LEG):
            share = frame / LEG
            moved = {
                name: (
                    slerp(here[name], there[name], share)
                    if law == "normal"
                    else (here[name] + share * (there[name] - here[name]))
                ).astype(np.float32)
                for name, law in laws.items()
            }
            yield stations[0] | moved


def _asked(session: GeneratorSession, role: str, what: str) -> Slot:
    slot = slot_of(slots_of(session), role)
    if slot is None:
        raise UsageError(f"{session.entry.label} takes no {what}.", "`touchstone models` lists the tasks.")
    return slot
