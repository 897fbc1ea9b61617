"""Forge the twins of a release: `python -m benchmarks.forge_twins --family runs/family --out runs/twins`.

Photographs, faces, captioned pictures and streets pass through the decoders of the reconstruction family
and the shipped generators, under many treatments, as `PLAN` says. Splits are by picture, for faces by person;
every family is in every split: `PairConfig.left_out` keeps one from training. The same command goes on where
it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from detector.treatments import TREATMENTS
from generators.data.shards import Item, load
from generators.forge import ForgeOptions, Order, Progress, forge_twins, some_of
from generators.training.budget import seed_at
from generators.twins import Family, Member
from testsets.workshop import SELF_BLENDED, SHEET, SPLICED, SQUARES, STREETS, Suite, suite_members

Counts = tuple[int, int, int]  # in the splits train, cal, test
SPLITS = ("train", "cal", "test")


# Forgeries of every real in each split. The same for all: were there more of some, what those reals have in
# common (their size, their tables, their source) would tell real from fake.
FORGERIES: Counts = (3, 3, 4)


@dataclass(frozen=True)
class Share:
    """What a set gives: reals of each split at most, and what is made of them.

    Each of `editors` changes so many of them, `FORGERIES` of a real at most; decoders of the family make
    the rest. So many are forged once more, `treated`. `smallest` is the shortest side.
    """

    reals: Counts
    editors: tuple[tuple[str, Counts], ...] = ()
    treated: Counts = (0, 0, 0)
    smallest: int = 0


PLAN: dict[str, Share] = {
    "photos": Share(
        (1200, 160, 120),
        (
            ("inpainting-photos", (300, 40, 60)),
            ("outpainting-photos", (300, 40, 60)),
            ("cyclegan-horse2zebra", (60, 10, 20)),
            ("cyclegan-zebra2horse", (60, 10, 20)),
            ("splice", (300, 40, 60)),
        ),
        (420, 112, 112),
        240,
    ),
    "photos-lossless": Share((40, 10, 10), (("inpainting-photos", (12, 4, 4)),), (28, 0, 0), 240),
    "captions": Share(
        (420, 50, 45),
        (("outpainting-photos", (60, 10, 15)), ("splice", (80, 10, 15))),
        (112, 28, 14),
        130,
    ),
    "faces-lfw": Share(
        (900, 150, 130),
        (
            ("context-encoder-faces", (250, 40, 50)),
            ("dr-gan-faces", (220, 40, 50)),
            ("tp-gan-faces", (220, 40, 50)),
            ("ganimation-faces", (220, 40, 50)),
            ("self-blended", (700, 100, 100)),
        ),
        (280, 112, 98),
    ),
    "horse2zebra": Share((240, 30, 60), (("translation", (240, 30, 60)),)),
    "camvid": Share((200, 30, 50), (("pix2pix-streets", (200, 30, 50)),)),
}
# For each side of square and every two generators of that side, so many sheets or enlarged faces.
FACES: dict[str, Counts] = {"faces-celeba": (80, 20, 25), "faces-lfw": (40, 10, 15)}


def main(arguments: list[str] | None = None) -> int:
    """Forge what is missing; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", type=Path, default=Path("runs/family"))
    parser.add_argument("--out", type=Path, default=Path("runs/twins"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--partial", type=float, default=ForgeOptions.partial)
    parser.add_argument("--crop", type=int, help="cut larger pictures to a native window of this side")
    parser.add_argument("--processes", type=int, default=ForgeOptions.processes)
    parser.add_argument("--splits", nargs="*", default=list(SPLITS), choices=SPLITS)
    parser.add_argument("--share", type=float, default=1.0, help="of all that the plan names, for a trial")
    chosen = parser.parse_args(arguments)
    options = ForgeOptions(chosen.seed, chosen.partial, chosen.crop, chosen.processes)
    family, started = Family(chosen.family), time.monotonic()

    def tell(progress: Progress) -> None:
        if progress.done % 100 == 0 or progress.done == progress.total:
            seconds = time.monotonic() - started
            print(
                f"{progress.done} of {progress.total} reals, {progress.twins} twins, {seconds:.0f} s",
                flush=True,
            )

    orders = [
        order
        for split in chosen.splits
        for order in plan(split, family.members(), suite_members(), chosen.share, chosen.seed)
    ]
    # Evenly mixed, so that the time that is left can be told; order changes no file.
    mixed = np.random.default_rng(chosen.seed).permutation(len(orders))
    workshop = Suite(family, chosen.seed)
    print(forge_twins([orders[place] for place in mixed], workshop, chosen.out, options, tell))
    return 0


def plan(
    split: str, decoders: Sequence[Member], suite: dict[Member, int], share: float = 1.0, seed: int = 0
) -> Iterator[Order]:
    """Every order of one split."""
    place = SPLITS.index(split)
    most = FORGERIES[place]
    forgers = {member.name: member for member in (*suite, SELF_BLENDED, SPLICED)}
    for name, row in PLAN.items():
        spread = _spread(name, split, round(row.reals[place] * share))
        items = _with_donors([item for item in spread if _side(item) >= row.smallest])
        takers: list[list[Member]] = [[] for _ in items]
        for kind, counts in row.editors:
            rng = np.random.default_rng(seed_at(seed, 0, f"plan:{name}:{split}:{kind}"))
            for number in rng.permutation(len(items))[: round(counts[place] * share)]:
                forger = _translator(items[number]) if kind == "translation" else kind
                if forger in forgers and len(takers[number]) < most:
                    takers[number].append(forgers[forger])
        treatment = STREETS if name == "camvid" else ""
        for item, editors in zip(items, takers, strict=True):
            rest = some_of(item, decoders, most - len(editors), seed)
            yield Order(item, (*editors, *rest), treatment)
        yield from _treated(items, decoders, round(row.treated[place] * share), most, seed)
    for name, counts in FACES.items():
        makers = [member for member in suite if member.kind in ("sample", "rotation", "animation")]
        for side in sorted({suite[member] for member in makers}):
            own = [member for member in makers if suite[member] == side]
            yield from _squares(name, split, side, own, decoders, round(counts[place] * share), most, seed)


def _treated(
    items: Sequence[Item], decoders: Sequence[Member], count: int, most: int, seed: int
) -> Iterator[Order]:
    """Treatments in turn over pictures spread evenly."""
    names = list(TREATMENTS)
    for number in range(min(count, len(items))):
        item = items[number * len(items) // min(count, len(items))]
        treatment = names[number % len(names)]
        chosen = some_of(replace(item, key=f"{item.key}.{treatment}"), decoders, most, seed)
        yield Order(item, chosen, treatment)


def _squares(
    name: str,
    split: str,
    side: int,
    makers: Sequence[Member],
    decoders: Sequence[Member],
    count: int,
    most: int,
    seed: int,
) -> Iterator[Order]:
    """Real faces at the size of the generators of that side, each alone or with others on a sheet."""
    items = list(load(name, split))
    rng = np.random.default_rng(seed_at(seed, 0, f"plan:{name}:{split}:{side}"))
    for number in range(count * max(2, len(makers)) // 2):
        drawn = rng.permutation(len(items))[: max(1, SHEET // side) ** 2]
        first, *others = [items[place] for place in drawn]
        meta = first.meta | {"others": [other.data for other in others]}
        item = replace(first, key=f"{first.key}-{number}", meta=meta)
        chosen = some_of(item, makers, most - 1, seed)
        rest = some_of(item, decoders, most - len(chosen), seed)
        yield Order(item, (*chosen, *rest), f"{SQUARES}-{side}")


def _with_donors(items: Sequence[Item]) -> list[Item]:
    """Each picture with the one half a set away as what may be spliced into it: of the same split."""
    half = len(items) // 2
    return [
        replace(item, meta=item.meta | {"donor": items[(number + half) % len(items)].data})
        for number, item in enumerate(items)
    ]


def _translator(item: Item) -> str:
    return "cyclegan-horse2zebra" if item.meta["domain"] == "A" else "cyclegan-zebra2horse"


def _spread(name: str, split: str, count: int) -> Iterator[Item]:
    """`count` pictures of a set at most, spread evenly: faces over persons."""
    found = list(load(name, split))
    yield from islice(found[:: max(1, len(found) // max(1, count))], count)


def _side(item: Item) -> int:
    return int(min(item.meta.get("w", 0), item.meta.get("h", 0)))


if __name__ == "__main__":
    sys.exit(main())
