"""What the membrane fills a hole with when no network helps it: `python -m benchmarks.membrane`.

The figures of systems that fill holes, on their own held-out pictures and holes, with a middle grey for what
was made: the line that a network has to beat where the membrane takes care of the seam already.
"""

from __future__ import annotations

import argparse
import sys

import torch
from rich.console import Console
from rich.table import Table

from generators import catalogue
from generators.data.opening import open_data
from generators.holes import BATCH, SAMPLES, HoleModel, figures_of, sums
from generators.networks.gated import composed
from generators.networks.membrane import harmonised

SYSTEMS = ("context_encoder", "inpainting", "outpainting")
FIGURES = ("hole_l1", "hole_psnr", "hole_l1_ratio", "seam_ratio")


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each system; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    table = Table("system", *FIGURES)
    for name in SYSTEMS:
        found = bare(name)
        table.add_row(name, *(f"{found[figure]:.3f}" for figure in FIGURES))
    Console().print(table)
    return 0


@torch.no_grad()
def bare(name: str) -> dict[str, float]:
    """The figures of the membrane alone where the system `name` is judged, as `HoleModel.figures` counts."""
    preset = catalogue.preset(name, "shipped")
    model = catalogue.build(name, preset.config, preset.optimisation)
    assert isinstance(model, HoleModel)
    held_out = open_data(preset.data, model.image_shape, kind=catalogue.system(name).kind, split="test")
    places, rng = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    found = []
    for _ in range(SAMPLES // BATCH):
        truth, masks = held_out.draw(BATCH, places, "cpu").images, model.masks(BATCH, rng)
        grey = torch.zeros_like(truth)
        found.append(sums(composed(harmonised(grey, truth, masks), truth, masks), truth, masks))
    return figures_of(torch.stack(found).sum(0))


if __name__ == "__main__":
    sys.exit(main())
