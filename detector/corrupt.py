"""Chains of degradations, drawn once and done alike to a real picture and to its forged twin.

A detector must not learn what delivery does to pictures, so both sides of a pair go through the same
operations with the same parameters, strength and noise (the "batched syncing" of AlignedForensics,
arXiv 2410.11835). Classical scaling, sharpening, denoising, screenshots and recompression of a real
picture leave it real; the same done to its twin leaves it fake.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from detector.compositions import COMPOSITIONS, compose_mask
from detector.geometry import AXES, GEOMETRY, SIDES
from detector.operations import KERNELS, OPERATIONS, SAMPLINGS
from evidence.medium import Pixels

Rng = np.random.Generator


@dataclass(frozen=True)
class Step:
    """One operation of a chain by name, with its settings in plain JSON types."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As a manifest records it."""
        return {"name": self.name, "settings": dict(self.settings)}

    @property
    def scale(self) -> float:
        """By how much the step changes the sides of a picture."""
        if self.name == "resize" and not self.settings.get("back"):
            return float(self.settings["factor"])
        if self.name == "crop":
            return math.sqrt(self.settings["share"])
        return 1.0


@dataclass(frozen=True)
class CorruptionConfig:
    """How often a chain has 0, 1, 2, 3, 4 steps, and how often an operation is drawn for a step.

    A chain that is not empty ends in JPEG with probability `recompressed`, since that is how most
    pictures travel.
    """

    lengths: tuple[float, ...] = (0.35, 0.3, 0.2, 0.1, 0.05)
    recompressed: float = 0.5
    weights: tuple[tuple[str, float], ...] = (
        ("jpeg", 5.0),
        ("resize", 5.0),
        ("webp", 0.7),
        ("video", 1.5),
        ("blur", 1.0),
        ("sharpen", 1.0),
        ("noise", 1.0),
        ("denoise", 0.7),
        ("median", 0.5),
        ("tone", 1.0),
        ("overlay", 0.5),
        ("avif", 0.2),
        ("grey", 0.3),
        ("grain", 0.5),
        ("local_tone", 0.4),
        ("screenshot", 0.3),
        ("collage", 0.3),
    )


NONE = CorruptionConfig(lengths=(1.0,))


def draw_chain(rng: Rng, config: CorruptionConfig | None = None) -> tuple[Step, ...]:
    """A chain of degradations; the same state of `rng` draws the same chain."""
    config = config or CorruptionConfig()
    names = [name for name, _ in config.weights]
    odds = np.array([weight for _, weight in config.weights])
    length = int(rng.choice(len(config.lengths), p=config.lengths))
    chosen = [names[int(i)] for i in rng.choice(len(names), size=length, p=odds / odds.sum())]
    if length and chosen[-1] not in ("jpeg", "video") and rng.random() < config.recompressed:
        chosen.append("jpeg")
    return tuple(draw_step(rng, name) for name in chosen)


def draw_step(rng: Rng, name: str, **fixed: Any) -> Step:
    """One step of the operation `name`, its parameters drawn but for those that are given."""
    return Step(name, _DRAWS[name](rng) | fixed)


def apply(pixels: Pixels, chain: Sequence[Step]) -> Pixels:
    """The picture after every step of the chain."""
    for step in chain:
        pixels = OPERATIONS[step.name](pixels, **step.settings)
    return pixels


def apply_mask(mask: Pixels, chain: Sequence[Step]) -> Pixels:
    """Where the picture is forged after the chain: uint8 (H, W), 0 real to 255 forged.

    Resizing scales the mask, a crop, a turn or a collage moves it; what a caption covers is forged no longer.
    """
    for step in chain:
        if step.name in GEOMETRY:
            mask = GEOMETRY[step.name](mask, **step.settings)
        elif step.scale != 1.0:
            side = [max(1, round(length * step.scale)) for length in mask.shape]
            mask = cv2.resize(mask, (side[1], side[0]), interpolation=cv2.INTER_LINEAR)
        elif step.name in COMPOSITIONS:
            mask = compose_mask(mask, step.name, **step.settings)
    return mask


def scale_of(chain: Sequence[Step]) -> float:
    """By how much the whole chain changes the sides of a picture."""
    return float(np.prod([step.scale for step in chain]))


def _jpeg(rng: Rng) -> dict[str, Any]:
    # Squaring favours the high qualities that pictures are published in; 30 to 100 all occur.
    return {
        "quality": int(100 - 70 * rng.random() ** 2),
        "sampling": str(rng.choice(SAMPLINGS, p=(0.3, 0.1, 0.6))),
        "encoder": str(rng.choice(_ENCODERS)),
        "shift": int(rng.integers(0, 8)) if rng.random() < 0.5 else 0,
    }


def _webp(rng: Rng) -> dict[str, Any]:
    return {"quality": int(rng.integers(40, 100))}


def _avif(rng: Rng) -> dict[str, Any]:
    return {"quality": int(rng.integers(40, 95))}


def _video(rng: Rng) -> dict[str, Any]:
    return {"crf": int(rng.integers(16, 36))}


def _resize(rng: Rng) -> dict[str, Any]:
    # Even in the logarithm: halving is as likely as doubling.
    return {
        "factor": float(np.exp2(rng.uniform(-1.0, 1.0))),
        "kernel": str(rng.choice(KERNELS)),
        "back": bool(rng.random() < 0.25),
    }


def _blur(rng: Rng) -> dict[str, Any]:
    return {"sigma": float(rng.uniform(0.3, 1.8))}


def _sharpen(rng: Rng) -> dict[str, Any]:
    return {"amount": float(rng.uniform(0.2, 1.5)), "sigma": float(rng.uniform(0.6, 2.0))}


def _noise(rng: Rng) -> dict[str, Any]:
    return {
        "sigma": float(rng.uniform(0.5, 6.0)),
        "seed": int(rng.integers(2**31)),
        "grey": bool(rng.random() < 0.4),
    }


def _denoise(rng: Rng) -> dict[str, Any]:
    method = "nlmeans" if rng.random() < 0.1 else "bilateral"  # nlmeans costs 25 times as much
    return {"strength": float(rng.uniform(8.0, 35.0)), "method": method}


def _median(rng: Rng) -> dict[str, Any]:
    return {"size": 3 if rng.random() < 0.8 else 5}


def _tone(rng: Rng) -> dict[str, Any]:
    return {"gamma": float(np.exp(rng.uniform(-0.35, 0.35))), "contrast": float(rng.uniform(0.75, 1.3))}


def _grey(rng: Rng) -> dict[str, Any]:
    return {"warmth": int(rng.integers(4, 20)) if rng.random() < 0.3 else 0}


def _grain(rng: Rng) -> dict[str, Any]:
    size = float(rng.uniform(0.5, 1.5))
    return {"strength": float(rng.uniform(2.0, 9.0)), "size": size, "seed": int(rng.integers(2**31))}


def _local_tone(rng: Rng) -> dict[str, Any]:
    return {"clip": float(rng.uniform(1.0, 3.0)), "tiles": int(rng.integers(3, 9))}


def _composition(rng: Rng) -> dict[str, Any]:
    return {"seed": int(rng.integers(2**31))}


def _covering(rng: Rng) -> dict[str, Any]:
    return {"share": float(rng.uniform(0.05, 0.2)), "seed": int(rng.integers(2**31))}


def _quantise(rng: Rng) -> dict[str, Any]:
    return {"bits": int(rng.integers(4, 8))}


def _crop(rng: Rng) -> dict[str, Any]:
    return {"share": float(rng.uniform(0.25, 0.95)), "x": float(rng.random()), "y": float(rng.random())}


def _fit(rng: Rng) -> dict[str, Any]:
    return {"side": int(rng.choice((512, 768, 1024, 1280, 1600)))}


def _flip(rng: Rng) -> dict[str, Any]:
    return {"axis": str(rng.choice(AXES, p=(0.9, 0.1)))}


def _turn(rng: Rng) -> dict[str, Any]:
    return {"quarters": int(rng.integers(1, 4))}


def _rotate(rng: Rng) -> dict[str, Any]:
    return {"degrees": float(rng.uniform(1.0, 10.0) * rng.choice((-1, 1)))}


def _border(rng: Rng) -> dict[str, Any]:
    share, sides = float(rng.uniform(0.02, 0.15)), str(rng.choice(SIDES))
    return {"share": share, "sides": sides, "level": int(rng.choice((0, 255)))}


def _frame_rate(rng: Rng) -> dict[str, Any]:
    return {"factor": float(rng.choice((0.5, 0.8)))}


_DRAWS: dict[str, Callable[[Rng], dict[str, Any]]] = {
    "jpeg": _jpeg,
    "webp": _webp,
    "video": _video,
    "resize": _resize,
    "blur": _blur,
    "sharpen": _sharpen,
    "noise": _noise,
    "denoise": _denoise,
    "median": _median,
    "tone": _tone,
    "avif": _avif,
    "grey": _grey,
    "grain": _grain,
    "local_tone": _local_tone,
    **dict.fromkeys(COMPOSITIONS, _composition),
    "caption": _covering,
    "sticker": _covering,
    "quantise": _quantise,
    "crop": _crop,
    "fit": _fit,
    "flip": _flip,
    "turn": _turn,
    "rotate": _rotate,
    "border": _border,
    "frame_rate": _frame_rate,
}
# Another one here would change what is drawn for every seed that was ever recorded.
_ENCODERS = ("pillow", "opencv")
