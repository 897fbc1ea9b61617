"""Attacks by name: `square:queries=1000,eps=3` is read, checked and done to one picture.

An attack never changes the size of a picture, so masks and captions stay true. The same attack with the
same seed on the same detector gives the same bytes on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from evidence.errors import UsageError
from evidence.medium import Pixels
from testsets import blackbox, laundering, whitebox
from testsets.likeness import psnr_db, ssim
from testsets.target import Oracle, OutOfQueries, Target
from testsets.whitebox import Gradient

Needs = Literal["pixels", "answers", "gradients"]
Value = int | float | str

KERNELS = ("nearest", "bilinear", "bicubic", "area", "lanczos")
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


@dataclass(frozen=True)
class Setting:
    """What one setting of an attack is without being named, and what it may be."""

    default: Value
    least: float = -math.inf
    most: float = math.inf
    choices: tuple[str, ...] = ()

    def read(self, text: Value) -> Value:
        """The value a text or a number of a table stands for; raises ValueError with what is allowed."""
        if isinstance(self.default, str):
            if self.choices and text not in self.choices:
                raise ValueError(f"allowed are {', '.join(self.choices)}")
            return str(text)
        kind = type(self.default)
        try:
            value = kind(text)
        except (ValueError, OverflowError):
            value = math.nan
        if not self.least <= value <= self.most or (kind is int and value != float(text)):
            what = "whole numbers" if kind is int else "numbers"
            raise ValueError(f"allowed are {what} from {self.least:g} to {self.most:g}")
        return value


@dataclass(frozen=True)
class Kind:
    """An attack that can be asked for: what it does, what it needs to know, and its settings."""

    run: Callable[..., Any]
    needs: Needs
    tells: str
    settings: Mapping[str, Setting]


_ASKING = {"queries": Setting(1000, 2, 10_000_000), "beyond": Setting(0.0, 0, 1000)}
_EPS = Setting(3, 1, 64)

_KNOWING = {"queries": Setting(100, 2, 1_000_000), "beyond": Setting(0.0, 0, 1000)}

KINDS: dict[str, Kind] = {
    "pgd": Kind(
        whitebox.pgd,
        "gradients",
        "knows the detector: steps along the sign of its gradient within `eps` grey levels",
        {**_KNOWING, "eps": _EPS},
    ),
    "apgd": Kind(
        whitebox.apgd,
        "gradients",
        "the same with momentum and steps that halve by themselves",
        {**_KNOWING, "eps": _EPS},
    ),
    "patch": Kind(
        whitebox.patch,
        "gradients",
        "knows the detector: any colours within one square of `area`",
        {**_KNOWING, "area": Setting(0.02, 0.0005, 0.5)},
    ),
    "square": Kind(
        blackbox.square,
        "answers",
        "sees scores: squares of `eps` grey levels are kept where they help",
        {**_ASKING, "eps": _EPS, "area": Setting(0.3, 0.0001, 1)},
    ),
    "boundary": Kind(
        blackbox.boundary,
        "answers",
        "sees verdicts alone: walks along their border until `psnr` is reached",
        {"queries": _ASKING["queries"], "psnr": Setting(38.0, 10, 60)},
    ),
    "notch": Kind(
        laundering.notch,
        "pixels",
        "takes out peaks of the spectrum that stand `height` times above their surroundings",
        {"height": Setting(6.0, 1.5, 1000), "strength": Setting(1.0, 0, 1)},
    ),
    "resample": Kind(
        laundering.resample,
        "pixels",
        "to another size and back",
        {"factor": Setting(1.5, 0.1, 4), "kernel": Setting("bicubic", choices=KERNELS)},
    ),
    "renoise": Kind(
        laundering.renoise,
        "pixels",
        "denoises, then adds noise, at `sigma=0` as much as was taken away",
        {"strength": Setting(20.0, 1, 200), "sigma": Setting(0.0, 0, 50)},
    ),
    "grid": Kind(
        laundering.grid,
        "pixels",
        "lays the block grid of a camera's JPEG over it",
        {"quality": Setting(90, 30, 100), "sampling": Setting("4:2:0", choices=SAMPLINGS)},
    ),
    "rebuild": Kind(
        laundering.rebuild,
        "pixels",
        "through one of the shipped autoencoders",
        {"model": Setting("reconstruction-haar-x4")},
    ),
    "recode": Kind(
        laundering.recode,
        "pixels",
        "through JPEG, WebP and AVIF, one after the other",
        {"times": Setting(3, 1, 20), "quality": Setting(75, 30, 99)},
    ),
}


@dataclass(frozen=True)
class Attack:
    """One attack with every setting it has; make it with `attack`, which fills in and checks them."""

    name: str
    settings: Mapping[str, Value] = field(default_factory=dict)

    @property
    def needs(self) -> Needs:
        """What it has to know: the picture alone, a detector's answers, or its gradients."""
        return KINDS[self.name].needs

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, for manifests."""
        return {"name": self.name, "settings": dict(self.settings)}

    def __str__(self) -> str:
        return f"{self.name}:{','.join(f'{key}={value}' for key, value in self.settings.items())}"


@dataclass(frozen=True)
class Attacked:
    """What an attack made of a picture. `before` and `after` are scores, None where no detector was asked.

    `fake` says whether the picture was called fake before, `flipped` whether that changed.
    """

    pixels: Pixels
    psnr: float
    ssim: float
    queries: int = 0
    flipped: bool | None = None
    fake: bool | None = None
    before: float | None = None
    after: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {name: value for name, value in vars(self).items() if name != "pixels"}


def attack(name: str, settings: Mapping[str, Value] | None = None) -> Attack:
    """The attack of that name, settings that are not given at their defaults. Raises UsageError."""
    kind = KINDS.get(name)
    if kind is None:
        raise UsageError(f"There is no attack called {name!r}.", f"There are {', '.join(KINDS)}.")
    given = dict(settings or {})
    if unknown := sorted(given.keys() - kind.settings.keys()):
        raise UsageError(
            f"The attack {name} has no setting {', '.join(unknown)}.", f"It has {', '.join(kind.settings)}."
        )
    filled = {}
    for key, setting in kind.settings.items():
        try:
            filled[key] = setting.read(given.get(key, setting.default))
        except ValueError as error:
            raise UsageError(
                f"{key} of the attack {name} is {given[key]!r}; {error}.", "Correct it."
            ) from None
    return Attack(name, filled)


def parse(text: str) -> Attack:
    """The attack that `name` or `name:setting=value,setting=value` stands for. Raises UsageError."""
    name, _, rest = text.partition(":")
    given: dict[str, Value] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(
                f"{part!r} in the attack {text!r} sets nothing.", "Write settings as name:setting=value."
            )
        given[key.strip()] = value.strip()
    return attack(name.strip(), given)


def perform(attack: Attack, pixels: Pixels, detector: Target | None, seed: int) -> Attacked:
    """The picture (H, W, 3) after the attack, at its own size, and what it cost.

    Laundering needs no detector; with one, its scores are there before and after. Raises UsageError where
    one is missing, ModelError where the detector cannot be attacked so.
    """
    kind, settings = KINDS[attack.name], dict(attack.settings)
    rng = np.random.default_rng([seed, *attack.name.encode()])
    if kind.needs == "pixels":
        made = kind.run(pixels, rng, **settings)
        if detector is None:
            return Attacked(made, psnr_db(pixels, made), ssim(pixels, made))
        oracle = Oracle(detector, pixels)
        return weighed(pixels, made, oracle, oracle.ask(made))
    knows = ready(attack, detector)
    assert detector is not None
    most, beyond = int(settings.pop("queries")), float(settings.pop("beyond", 0.0))
    oracle = Oracle(detector, pixels, most, beyond=beyond, nearest=attack.name == "boundary")
    with suppress(OutOfQueries):  # what was best until then stands
        kind.run(pixels, oracle, *knows, rng, **settings)
    return weighed(pixels, oracle.best, oracle, oracle.gap)


def ready(attack: Attack, detector: Target | None) -> tuple[Gradient, ...]:
    """The gradients that an attack needs, if any. Raises UsageError without a detector, ModelError."""
    if attack.needs == "pixels":
        return ()
    if detector is None:
        raise UsageError(f"The attack {attack.name} asks a detector, and none is named.", "Name one.")
    return (gradients_of(detector),) if attack.needs == "gradients" else ()


def weighed(pixels: Pixels, made: Pixels, oracle: Oracle, gap: float) -> Attacked:
    """What was made, with its likeness to the picture and what the detector says of both."""
    return Attacked(
        made,
        psnr=psnr_db(pixels, made),
        ssim=ssim(pixels, made),
        queries=oracle.queries,
        flipped=gap <= 0,
        fake=oracle.fake,
        before=oracle.before,
        after=oracle.score_of(gap),
    )


@lru_cache(maxsize=4)
def gradients_of(detector: Target) -> Gradient:
    """The detector's own gradients; raises ModelError where there are none, UsageError without torch."""
    try:
        from testsets.gradients import Gradients
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise UsageError(
            f"Attacks that know the detector need {missing}, which is not installed.",
            f"Install them: pip install 'touchstone[attacks]'. Without it there are {_without_gradients()}.",
        ) from None
    return Gradients(detector, _without_gradients())


def _without_gradients() -> str:
    return ", ".join(name for name, kind in KINDS.items() if kind.needs != "gradients")
