"""Forge the twins of a release: `python -m benchmarks.forge_twins --family runs/family --out runs/twins`.

Photographs, faces and caption pictures of the train and cal splits pass through three decoders each,
those of the test split through every decoder, held-out families included. The same command goes on
where it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from generators.data.shards import Item, load
from generators.forge import ForgeOptions, Progress, forge_twins
from generators.twins import Family

# Pictures a set gives to each split at most; LFW's photographs are spread evenly over its persons.
SHARES = {
    "photos": {"train": 1000, "cal": 160, "test": 120},
    "photos-lossless": {"train": 40, "cal": 10, "test": 10},
    "faces-lfw": {"train": 450, "cal": 120, "test": 120},
    "captions": {"train": 140, "cal": 30, "test": 30},
}
SMALLEST_SIDE = 240


def main(arguments: list[str] | None = None) -> int:
    """Forge what is missing; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", type=Path, default=Path("runs/family"))
    parser.add_argument("--out", type=Path, default=Path("runs/twins"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-item", type=int, default=3)
    parser.add_argument("--partial", type=float, default=0.25)
    parser.add_argument("--crop", type=int, help="cut larger pictures to a native window of this side")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--splits", nargs="*", default=["train", "cal", "test"])
    parser.add_argument("--most", type=int, help="at most so many pictures of each set and split")
    chosen = parser.parse_args(arguments)
    family = Family(chosen.family)
    options = ForgeOptions(chosen.seed, chosen.per_item, chosen.partial, chosen.crop, chosen.processes)
    started = time.monotonic()

    def tell(progress: Progress) -> None:
        if progress.done % 50 == 0 or progress.done == progress.total:
            seconds = time.monotonic() - started
            print(
                f"{progress.done} of {progress.total} reals, {progress.twins} twins, {seconds:.0f} s",
                flush=True,
            )

    items = [item for split in chosen.splits for item in _items(split, chosen.most)]
    print(forge_twins(items, family.members(), family, chosen.out, options, tell))
    return 0


def _items(split: str, most: int | None) -> Iterator[Item]:
    for name, share in SHARES.items():
        count = min(share[split], most or share[split])
        found = [item for item in load(name, split) if _side(item) >= SMALLEST_SIDE]
        yield from islice(found[:: max(1, len(found) // count)], count)


def _side(item: Item) -> int:
    return int(min(item.meta["w"], item.meta["h"]))


if __name__ == "__main__":
    sys.exit(main())
