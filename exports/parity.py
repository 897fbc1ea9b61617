"""The gate every exported model passes: ONNX Runtime answers what the torch network answers.

The largest difference allowed is 1e-4, in raw logits or in [-1, 1]; a generator's picture may also
not move by more than one grey level. Batches of 1, 3 and 8, sizes from 64 to 1024, inputs that
are noise, smooth shading and flat blocks. A failure names the size and the first node that differs.
Weights stored in half precision are held to `HALF`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evidence.errors import ParityError
from exports.culprit import first_difference
from exports.registry import Kind, ModelEntry
from exports.runtime import Session
from exports.to_onnx import GENERATOR_STEP, Interface, detector_interface, generator_interface
from generators.contract import AdversarialModel, Input

TOLERANCE = 1e-4
BATCHES = (1, 3, 8)
SIZES = ((64, 64), (72, 256), (256, 256), (264, 136), (520, 392), (1024, 1024))
LATENTS = 64  # one batch more for generators that take no picture
MOST_PIXELS = 2**20  # of one call of a generator of any size: 1024 x 1024 once, 256 x 256 eight times

Array = NDArray[Any]
Feeds = dict[str, Array]


@dataclass(frozen=True)
class Gate:
    """How far a file may be from its network: in raw values, and in grey levels of a picture."""

    tolerance: float = TOLERANCE
    grey_levels: int = 1


EXACT = Gate()
HALF = Gate(tolerance=1 / 127.5)  # one grey level


@dataclass
class Agreement:
    """The largest difference seen for each output, and what it was looked for in."""

    largest: dict[str, float] = field(default_factory=dict)
    grey_levels: int = 0
    flips: int = 0
    pictures: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)
    batches: set[int] = field(default_factory=set)
    gate: Gate = EXACT

    def to_dict(self) -> dict[str, Any]:
        """The record of `models.json`."""
        return {
            "tolerance": self.gate.tolerance,
            "largest": {name: float(f"{value:.3g}") for name, value in self.largest.items()},
            "grey_levels": self.grey_levels,
            "flips": self.flips,
            "pictures": self.pictures,
            "sizes": [list(size) for size in sorted(self.sizes)],
            "batches": sorted(self.batches),
        }


def check_detector(
    net: nn.Module,
    path: Path,
    *,
    families: int = 0,
    sizes: Sequence[tuple[int, int]] = SIZES,
    batches: Sequence[int] = BATCHES,
) -> Agreement:
    """Compare a detector's file with its network; raises `ParityError` at the first disagreement."""
    cases = ({"pixels": _pictures(batch, height, width)} for height, width in sizes for batch in batches)
    return _check(net, path, "detector", detector_interface(families), cases)


def check_generator(
    model: AdversarialModel,
    path: Path,
    *,
    part: str = "",
    gate: Gate = EXACT,
    sizes: Sequence[tuple[int, int]] = SIZES,
    batches: Sequence[int] = BATCHES,
) -> Agreement:
    """Compare a generator's file with its network; raises `ParityError` at the first disagreement.

    Sizes count for generators of free height and width only, rounded up to what they take.
    """
    interface, meant = generator_interface(model, part), model.inputs()
    cases: Iterator[Feeds]
    if "height" in interface.outputs["images"]:
        cases = (
            _sized(_example(model, batch), meant, batch, *_rounded(size))
            for size in sizes
            for batch in batches
            if batch * size[0] * size[1] <= MOST_PIXELS
        )
    else:
        pictures = any(item.role == "image" for item in meant.values())
        cases = (_example(model, batch) for batch in (*batches, *(() if pictures else (LATENTS,))))
    return _check(model.exported(part), path, "generator", interface, cases, gate)


def _check(
    net: nn.Module,
    path: Path,
    kind: Kind,
    interface: Interface,
    cases: Iterator[Feeds],
    gate: Gate = EXACT,
) -> Agreement:
    session = Session(ModelEntry.from_file(path, kind), "cpu", kind=kind)
    frozen, found = net.cpu().float().eval(), Agreement(gate=gate)
    for feeds in cases:
        expected = _torch_answers(frozen, feeds, interface)
        answers = dict(zip(interface.outputs, session.call(feeds, list(interface.outputs)), strict=True))
        _compare(found, answers, expected, kind)
        shape = answers[next(iter(answers))].shape
        sides = next(iter(feeds.values())).shape
        found.pictures += shape[0]
        found.batches.add(shape[0])
        found.sizes.add(sides[1:3] if kind == "detector" else answers["images"].shape[2:])
        worst = max(found.largest, key=lambda name: found.largest[name])
        if found.largest[worst] > gate.tolerance or found.grey_levels > gate.grey_levels:
            node = first_difference(net, interface, path, feeds, gate.tolerance)
            raise ParityError(
                f"{path.name} differs from its network by {found.largest[worst]:.3g} in `{worst}` for "
                f"inputs of shape {tuple(sides)}; {gate.tolerance:g} is allowed. {node}",
                "Do not publish this file: export it again, and rewrite that operation if it stays.",
            )
    return found


def _compare(
    found: Agreement, answers: Mapping[str, Array], expected: Mapping[str, Array], kind: Kind
) -> None:
    """Take one batch's differences into `found`."""
    for name, wanted in expected.items():
        difference = float(np.abs(answers[name] - wanted).max())
        found.largest[name] = max(found.largest.get(name, 0.0), difference)
    if kind == "detector":
        found.flips += int(((answers["logit"] > 0) != (expected["logit"] > 0)).sum())
    else:
        levels = np.abs(_levels(answers["images"]) - _levels(expected["images"]))
        found.grey_levels = max(found.grey_levels, int(levels.max()))


@torch.no_grad()
def _torch_answers(net: nn.Module, feeds: Feeds, interface: Interface) -> dict[str, Array]:
    answer = net(**{name: torch.from_numpy(value) for name, value in feeds.items()})
    values = (answer,) if isinstance(answer, Tensor) else answer
    return {name: value.numpy() for name, value in zip(interface.outputs, values, strict=True)}


def _example(model: AdversarialModel, count: int) -> Feeds:
    return {name: value.numpy() for name, value in model.export_inputs(count).items()}


def _sized(feeds: Feeds, meant: Mapping[str, Input], count: int, height: int, width: int) -> Feeds:
    """The example with pictures and masks of another size in it."""
    for name, item in meant.items():
        if item.role == "image":
            feeds[name] = _signed(_pictures(count, height, width))[:, : feeds[name].shape[1]]
        elif item.role == "mask":
            feeds[name] = np.zeros((count, 1, height, width), np.float32)
            feeds[name][:, :, height // 4 : height // 2, width // 3 :] = 1
    return feeds


def _pictures(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Pictures uint8 (count, height, width, 3): in turn noise, shading with a little noise, flat blocks."""
    rng = np.random.default_rng((count, height, width))
    noise = rng.integers(0, 256, (count, height, width, 3))
    ramp = np.linspace(0, 200, height)[:, None, None] + np.linspace(0, 40, width)[None, :, None]
    blocks = rng.integers(0, 256, (-(-height // 16), -(-width // 16), 3)).repeat(16, 0).repeat(16, 1)
    kinds = (noise[0], ramp + noise[-1] % 16, blocks[:height, :width])
    chosen = [noise[n] if n % 3 == 0 else kinds[n % 3] for n in range(count)]
    return np.stack(chosen).astype(np.uint8)


def _signed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W) in [-1, 1]."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)


def _rounded(size: tuple[int, int]) -> tuple[int, int]:
    height, width = (-(-side // GENERATOR_STEP) * GENERATOR_STEP for side in size)
    return height, width


def _levels(images: Array) -> NDArray[np.int32]:
    """Pictures in [-1, 1] as grey levels 0..255."""
    return np.rint(np.clip(images, -1, 1) * 127.5 + 127.5).astype(np.int32)
