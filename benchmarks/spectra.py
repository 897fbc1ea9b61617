"""Do our operators leave different traces? A linear probe on spectra: `python -m benchmarks.spectra`.

Each plain decoder of the reconstruction family rebuilds the same photographs; a linear classifier on the
log spectrum of the rebuilt picture alone, fitted on "cal" photographs, names the operator on "test" ones.
Beside it stands how many upsamplers, normalisations and losses the whole catalogue holds. Needs
`python -m benchmarks.train_family`; writes runs/bench/spectra.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from benchmarks.machine import machine
from generators import catalogue
from generators.data.memory import decode
from generators.data.shards import load
from generators.systems.reconstruction import MEMBERS, Autoencoder, load_member

SIDE = 192
BANDS = 16  # frequencies along each axis, from still to Nyquist
SOURCES = ("photos", "faces-lfw")
STEPS = 400
WEIGHT_DECAY = 1e-3


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", type=Path, default=Path("runs/family"))
    parser.add_argument("--out", type=Path, default=Path("runs/bench/spectra.json"))
    parser.add_argument("--pictures", type=int, default=100, help="pictures of each source and split")
    chosen = parser.parse_args(arguments)
    names = [name for name, config in MEMBERS.items() if config.bottleneck == "plain"]
    missing = [name for name in names if not (chosen.family / name / "quality.json").is_file()]
    if missing:
        print(
            f"Not trained yet: {', '.join(missing)}. Run python -m benchmarks.train_family.", file=sys.stderr
        )
        return 1
    generators = [load_member(chosen.family / name)[1] for name in names]
    splits = {split: _spectra(generators, _squares(split, chosen.pictures)) for split in ("cal", "test")}
    operators = sorted({MEMBERS[name].upsampler for name in names})
    classes = np.array([operators.index(MEMBERS[name].upsampler) for name in names])
    members = probe(*splits["cal"], splits["test"][0], len(names))
    hits = classes[members] == classes[splits["test"][1]]
    found: dict[str, Any] = {
        "operators": operators,
        "accuracy": round(float(hits.mean()), 4),
        "by_operator": {
            name: round(float(hits[classes[splits["test"][1]] == index].mean()), 4)
            for index, name in enumerate(operators)
        },
        "chance": round(1 / len(operators), 4),
        "fitted_on": len(splits["cal"][1]),
        "judged_on": len(splits["test"][1]),
        "represented": represented(),
        "machine": machine(),
    }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in found.items() if key != "machine"}, indent=2))
    return 0


def probe(spectra: Tensor, labels: NDArray[np.int64], unseen: Tensor, classes: int) -> NDArray[np.int64]:
    """Labels of `unseen` (N, D) by multinomial logistic regression fitted on `spectra` (M, D)."""
    mean, deviation = spectra.mean(dim=0), spectra.std(dim=0).clamp_min(1e-6)
    x, y = (spectra - mean) / deviation, torch.from_numpy(labels)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        linear = torch.nn.Linear(x.shape[1], classes)
    optimiser = torch.optim.Adam(linear.parameters(), lr=1e-2, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        optimiser.zero_grad()
        torch.autograd.backward(F.cross_entropy(linear(x), y))
        optimiser.step()
    found: NDArray[np.int64] = linear((unseen - mean) / deviation).argmax(dim=1).numpy()
    return found


def spectrum(images: Tensor) -> Tensor:
    """(B, 3, H, W) in [-1, 1] -> (B, 2 * BANDS * BANDS): mean log power by band of rows and columns.

    Of the luminance without its 3 x 3 mean, under a Hann window; both diagonals' quadrants apart.
    """
    grey = images.mean(dim=1, keepdim=True)
    residual = (grey - F.avg_pool2d(F.pad(grey, (1, 1, 1, 1), "reflect"), 3, stride=1))[:, 0]
    window = torch.hann_window(residual.shape[1])
    power = torch.fft.rfft2(residual * window[:, None] * window[None, :]).abs().square()
    half = residual.shape[1] // 2
    quadrants = torch.stack([power[:, :half, :half], power[:, half:, :half].flip(1)], dim=1)
    bands = F.adaptive_avg_pool2d(quadrants, BANDS).add(1e-8).log()
    return (bands - bands.mean(dim=(1, 2, 3), keepdim=True)).flatten(1)


def represented() -> dict[str, list[str]]:
    """The upsamplers, normalisations and losses of every system as it ships, and of the whole family."""
    found: dict[str, set[str]] = {"upsampler": set(), "normalisation": set(), "loss": set()}
    for name in catalogue.CATALOGUE:
        for preset in catalogue.system(name).load()[1].keys() - {"published", "smoke"}:
            tags = catalogue.create(name, preset).fingerprint()
            for kind, values in found.items():
                values |= set(filter(None, tags.get(kind, "").split("+")))
    return {kind: sorted(values) for kind, values in found.items()}


@torch.no_grad()
def _spectra(generators: list[Autoencoder], squares: Tensor) -> tuple[Tensor, NDArray[np.int64]]:
    """The spectra of every square rebuilt by every generator, with the generator's number."""
    spectra, labels = [], []
    for number, generator in enumerate(generators):
        for start in range(0, len(squares), 16):
            part = squares[start : start + 16]
            rebuilt = generator(part).float().clamp(-1, 1).mul(127.5).round().div(127.5)
            spectra.append(spectrum(rebuilt))
            labels += [number] * len(part)
    return torch.cat(spectra), np.array(labels)


def _squares(split: str, count: int) -> Tensor:
    """Central squares (N, 3, SIDE, SIDE) in [-1, 1] of `count` pictures of each source."""
    squares = []
    for source in SOURCES:
        items = (decode(item.data, item.key) for item in load(source, split))
        large = (pixels for pixels in items if min(pixels.shape[:2]) >= SIDE)
        for pixels in islice(large, count):
            top, left = (pixels.shape[0] - SIDE) // 2, (pixels.shape[1] - SIDE) // 2
            squares.append(pixels[top : top + SIDE, left : left + SIDE])
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


if __name__ == "__main__":
    sys.exit(main())
