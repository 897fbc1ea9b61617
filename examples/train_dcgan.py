"""Train a DCGAN on a folder of pictures, or on the shared faces, and say where its samples are.

python examples/train_dcgan.py runs/faces 15 path/to/pictures
"""

from __future__ import annotations

import sys
from pathlib import Path

from generators.training.command import run
from generators.training.loop import Progress


def show(progress: Progress) -> None:
    """One line for each log line of the run."""
    losses = "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
    print(f"{progress.images_seen:>9,} images  {progress.images_per_second:6.0f}/s  {losses}", flush=True)


def main(out: str, minutes: str = "15", data: str = "faces-celeba", preset: str = "shipped") -> None:
    """Train into the folder `out` for so many minutes; run again to go on."""
    record = run(
        "dcgan",
        data=data,
        preset=preset,
        budget_minutes=float(minutes),
        out=Path(out),
        resume=True,
        on_progress=show,
    )
    print(f"{record.images_seen:,} images in {record.seconds:.0f} s; samples in {out}/samples")


if __name__ == "__main__":
    main(*sys.argv[1:])
