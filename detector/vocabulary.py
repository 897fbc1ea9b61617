"""Which settings each operation takes, within which limits, and what is left to a draw.

A step of a test set's recipe may leave its seed open, name a span of numbers or several words; `drawn`
settles all of it from one seed, and what it drew is what the manifest records.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from detector.corrupt import Step
from detector.geometry import AXES, SIDES
from detector.operations import DENOISERS, ENCODERS, FRAME_CODECS, KERNELS, OPERATIONS, SAMPLINGS
from detector.presets import PRESETS
from evidence.errors import UsageError


@dataclass(frozen=True)
class Span:
    """Any number from `low` to `high`."""

    low: float
    high: float


# Whole numbers, any numbers, one of these words, yes or no.
Limits = range | Span | tuple[str, ...] | type[bool]


def checked(step: Step) -> Step:
    """The step, once its name and every setting is known and within limits. Raises UsageError."""
    if step.name not in LIMITS:
        raise UsageError(
            f"There is no perturbation {step.name!r}{_nearest(step.name, (*LIMITS, *PRESETS))}.",
            f"There are {', '.join(sorted(LIMITS))}; chains with a name are {', '.join(PRESETS)}.",
        )
    limits = LIMITS[step.name]
    for key, value in step.settings.items():
        if key not in limits:
            raise UsageError(
                f"{step.name} has no setting {key!r}{_nearest(key, limits)}.", f"It takes {takes(step.name)}."
            )
        _check(f"{step.name}:{key}", value, limits[key])
    missing = [key for key in _required(step.name) if key not in step.settings]
    if missing:
        raise UsageError(
            f"{step.name} needs {' and '.join(missing)}.",
            f"Say {', '.join(f'{key}: {allowed(limits[key])}' for key in missing)}.",
        )
    return step


def drawn(chain: Sequence[Step], seed: int) -> tuple[Step, ...]:
    """The chain with every span, choice and open seed settled; the same seed draws the same."""
    return tuple(_drawn(step, np.random.default_rng([seed, place])) for place, step in enumerate(chain))


def takes(name: str) -> str:
    """The settings of an operation with their limits, in words."""
    return "; ".join(f"{key}: {allowed(limits)}" for key, limits in LIMITS[name].items())


def allowed(limits: Limits) -> str:
    """What a setting takes, in words."""
    if limits is bool:
        return "true or false"
    if isinstance(limits, range):
        odd = " in steps of " + str(limits.step) if limits.step > 1 else ""
        return f"a whole number from {limits[0]} to {limits[-1]}{odd}"
    if isinstance(limits, Span):
        return f"a number from {limits.low:g} to {limits.high:g}"
    assert isinstance(limits, tuple)
    return f"{', '.join(limits[:-1])} or {limits[-1]}"


def _drawn(step: Step, rng: np.random.Generator) -> Step:
    settings = dict(step.settings)
    for key, limits in LIMITS[step.name].items():
        value = settings.get(key)
        if key == "seed" and value is None:
            settings[key] = int(rng.integers(2**31))
        elif isinstance(value, (list, tuple)):
            settings[key] = _one_of(value, limits, rng)
    return Step(step.name, settings)


def _one_of(value: Sequence[Any], limits: Limits, rng: np.random.Generator) -> Any:
    if isinstance(limits, range):
        inside = [number for number in limits if value[0] <= number <= value[1]]
        return int(rng.choice(inside))
    if isinstance(limits, Span):
        return float(rng.uniform(value[0], value[1]))
    return value[int(rng.integers(len(value)))]


def _check(what: str, value: Any, limits: Limits) -> None:
    spread = isinstance(value, (list, tuple))
    values = list(value) if spread else [value]
    fits = bool(values) and all(_within(one, limits) for one in values)
    numbers = isinstance(limits, (range, Span))
    if fits and spread and numbers:
        fits = len(values) == 2 and values[0] <= values[1]
    if not fits:
        more = "a span of two, the smaller first," if numbers else "several of them"
        raise UsageError(f"{what} is {value!r}.", f"It takes {allowed(limits)}, or {more} to draw from.")


def _within(value: Any, limits: Limits) -> bool:
    if limits is bool or isinstance(value, bool):
        return limits is bool and isinstance(value, bool)
    if isinstance(limits, range):
        return isinstance(value, int) and value in limits
    if isinstance(limits, Span):
        return isinstance(value, (int, float)) and limits.low <= value <= limits.high
    assert isinstance(limits, tuple)
    return value in limits


def _required(name: str) -> list[str]:
    """The settings without a default; a seed may be left to the draw."""
    known = inspect.signature(OPERATIONS[name]).parameters
    return [key for key in LIMITS[name] if key != "seed" and known[key].default is inspect.Parameter.empty]


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), 1)
    return f"; {near[0]!r} is near" if near else ""


_QUALITY = range(1, 101)
_SEED = range(2**31)
_SHARE = Span(0.01, 0.5)

LIMITS: dict[str, dict[str, Limits]] = {
    "jpeg": {"quality": _QUALITY, "sampling": SAMPLINGS, "encoder": ENCODERS, "shift": range(8)},
    "webp": {"quality": _QUALITY},
    "avif": {"quality": _QUALITY},
    "video": {"crf": range(52), "codec": FRAME_CODECS},
    "frame_rate": {"factor": Span(0.1, 1.0)},
    "resize": {"factor": Span(0.05, 8.0), "kernel": KERNELS, "back": bool},
    "fit": {"side": range(32, 16_385)},
    "blur": {"sigma": Span(0.1, 20.0)},
    "sharpen": {"amount": Span(0.0, 5.0), "sigma": Span(0.1, 20.0)},
    "median": {"size": range(3, 8, 2)},
    "denoise": {"strength": Span(1.0, 100.0), "method": DENOISERS},
    "noise": {"sigma": Span(0.0, 50.0), "seed": _SEED, "grey": bool},
    "grain": {"strength": Span(0.0, 50.0), "size": Span(0.3, 5.0), "seed": _SEED},
    "tone": {"gamma": Span(0.2, 5.0), "contrast": Span(0.1, 5.0)},
    "local_tone": {"clip": Span(0.1, 10.0), "tiles": range(1, 33)},
    "grey": {"warmth": range(65)},
    "quantise": {"bits": range(1, 9)},
    "crop": {"share": Span(0.01, 1.0), "x": Span(0.0, 1.0), "y": Span(0.0, 1.0)},
    "flip": {"axis": AXES},
    "turn": {"quarters": range(1, 4)},
    "rotate": {"degrees": Span(-45.0, 45.0)},
    "border": {"share": _SHARE, "sides": SIDES, "level": range(256)},
    "overlay": {"seed": _SEED},
    "screenshot": {"seed": _SEED},
    "collage": {"seed": _SEED, "rows": range(5), "columns": range(5)},
    "caption": {"seed": _SEED, "share": _SHARE},
    "sticker": {"seed": _SEED, "share": _SHARE},
}
