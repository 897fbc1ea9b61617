"""The smallest change that turns a verdict: by halving what an attack may do, or what it did.

An attack with `eps` is tried with fewer grey levels; of any other its change is added in part. Detectors are
not monotone, so that a change still smaller may turn it somewhere else: it is an upper bound.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from evidence.medium import Pixels
from testsets.attacks import Attack, Attacked, attack, perform, weighed
from testsets.target import Oracle, Target

_HALVINGS = 6  # of the share of a change: to 1/64


def smallest(attack: Attack, pixels: Pixels, detector: Target, seed: int) -> tuple[Attacked, dict[str, Any]]:
    """What the smallest form of an attack that turned the verdict made, and what is smallest in it.

    Where not even the attack as given turns it, that is what comes back, with nothing. Queries are counted
    over all that was tried.
    """
    found = perform(attack, pixels, detector, seed)
    if not found.flipped:
        return found, {}
    if "eps" in attack.settings:
        return _fewest_levels(attack, pixels, detector, seed, found)
    return _least_share(pixels, detector, found)


def _fewest_levels(
    given: Attack, pixels: Pixels, detector: Target, seed: int, found: Attacked
) -> tuple[Attacked, dict[str, Any]]:
    turns, short, queries = int(given.settings["eps"]), 0, found.queries
    while turns - short > 1:
        middle = (turns + short) // 2
        tried = perform(attack(given.name, {**given.settings, "eps": middle}), pixels, detector, seed)
        queries += tried.queries
        if tried.flipped:
            found, turns = tried, middle
        else:
            short = middle
    return replace(found, queries=queries), {"eps": turns}


def _least_share(pixels: Pixels, detector: Target, found: Attacked) -> tuple[Attacked, dict[str, Any]]:
    oracle = Oracle(detector, pixels)
    turns, short, made, gap = 1.0, 0.0, found.pixels, oracle.ask(found.pixels)
    for _ in range(_HALVINGS):
        middle = (turns + short) / 2
        tried = _mixed(pixels, found.pixels, middle)
        seen = oracle.ask(tried)
        if seen <= 0:
            turns, made, gap = middle, tried, seen
        else:
            short = middle
    least = weighed(pixels, made, oracle, gap)
    return replace(least, queries=found.queries + oracle.queries), {"share": turns}


def _mixed(pixels: Pixels, made: Pixels, share: float) -> Pixels:
    change = np.float32(share) * (made.astype(np.float32) - pixels)
    return np.rint(pixels + change).astype(np.uint8)
