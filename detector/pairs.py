"""Batches of aligned pairs: a crop of a real picture and the same crop of its forged twin.

Both sides share place, flips and the draw of degradations, so that all they differ in is what the
generator left behind (AlignedForensics, arXiv 2410.11835; DDA, arXiv 2505.14359). Some twins are
forged in a part only, by putting the real pixels back around a patch (B-Free, arXiv 2412.17671); the
map of cell labels says where. A batch is a function of (seed, step) alone, so a resumed run sees what
an unbroken one would, however many worker processes make the batches.
"""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from detector.corrupt import CorruptionConfig, Step, apply, apply_mask, draw_chain, scale_of
from detector.entries import NO_GENERATOR
from detector.losses import UNNAMED
from detector.readers import Entry, read
from detector.tiles import CELL
from detector.treatments import draw_writing
from evidence.errors import DataError
from evidence.image import decode_image
from evidence.medium import Pixels
from generators.training.budget import seed_at

Rng = np.random.Generator
Cells = NDArray[np.float32]

NAMED = 0.2  # the share of a crop that must be forged for its family to be told
_OTHER_CONTENT = ("sample", "rotation")  # kinds that show something else than their real at the same place
_SLACK = CELL  # extra pixels that let the crop leave the grid of the last JPEG


@dataclass(frozen=True)
class PairConfig:
    """How pairs are drawn; sizes in pixels, the rest probabilities."""

    pairs: int = 48
    crop: int = 128
    corruption: CorruptionConfig = field(default_factory=CorruptionConfig)
    ramp_crops: int = 60_000  # until this many crops were made, degradations grow from none to all
    partial: float = 0.25  # twins that are forged in a patch only
    blended: float = 0.1  # twins mixed with up to 40 % of the real picture
    on_grid: float = 0.6  # crops that keep the grid of the last JPEG
    left_out: tuple[str, ...] = ()  # families that training never sees
    left_out_treatments: tuple[str, ...] = ()  # hard reals that it never sees, nor their twins
    aligned: bool = True  # else the real side is a stranger, and each side is degraded by its own draw
    formats_alike: bool = True  # else only reals are saved as JPEG once more, as where fakes come lossless
    favoured: str = ""  # a source that `favoured_share` of the pairs are drawn from
    favoured_share: float = 0.3
    cache_bytes: int = 5 * 1024**3  # of decoded pictures, in each worker


class PairBatch(NamedTuple):
    """`pixels` uint8 (2P, S, S, 3), the P reals before their P twins, and `cells` (2P, S / 8, S / 8).

    A cell holds the share of its pixels that is forged, 0 to 1. `families` int64 (P,) is the place of each
    twin's in `Pairs.families`; `UNNAMED` where it is not among them, where the twin was mixed with its real
    here, and where less than `NAMED` of its crop is forged.
    """

    pixels: Tensor
    cells: Tensor
    families: Tensor


class Pairs(IterableDataset[PairBatch]):
    """The endless row of batches from `first_step` on, of the pairs of one split of a forge folder."""

    def __init__(
        self, folder: Path, config: PairConfig, *, seed: int, split: str = "train", first_step: int = 0
    ) -> None:
        self.config = config
        self.seed = seed
        self.first_step = first_step
        entries = read(folder)
        untreated = [entry for entry in entries if entry.treatment not in config.left_out_treatments]
        self.twins = _pair_up(untreated, split, config.left_out)
        self.families = _families(entries, config.left_out)
        self._sources = _stratify(list(self.twins))
        self._cache: dict[Path, Pixels] = {}
        self._cached_bytes = 0

    def __iter__(self) -> Iterator[PairBatch]:
        worker = torch.utils.data.get_worker_info()
        step, stride = self.first_step, 1
        if worker is not None:
            step, stride = step + worker.id, worker.num_workers
        while True:
            yield self.batch(step)
            step += stride

    def batch(self, step: int) -> PairBatch:
        """The batch of one step."""
        rng = np.random.default_rng(seed_at(self.seed, step, "pairs"))
        made, ramp = step * 2 * self.config.pairs, self.config.ramp_crops
        ripe = min(1.0, made / ramp) if ramp else 1.0
        drawn = [self._pair(rng, ripe) for _ in range(self.config.pairs)]
        reals, fakes, masks, families = zip(*drawn, strict=True)
        cells = np.zeros((2 * len(drawn), *masks[0].shape), np.float32)
        cells[len(drawn) :] = np.stack(masks)
        pixels = torch.from_numpy(np.stack(reals + fakes))
        return PairBatch(pixels, torch.from_numpy(cells), torch.tensor(families))

    def _pair(self, rng: Rng, ripe: float) -> tuple[Pixels, Pixels, Cells, int]:
        """One pair: real crop, twin crop (S, S, 3), the twin's cells (S / 8, S / 8) and its family's place.

        `ripe` is the share of pairs that are drawn from the full distribution; the others are clean.
        """
        favoured = self.config.favoured
        often = bool(favoured) and rng.random() < self.config.favoured_share
        twin = _draw(rng, {favoured: self._sources[favoured]} if often else self._sources)
        real, fake = self._picture(self.twins[twin].path), self._picture(twin.path)
        if real.shape != fake.shape:
            raise DataError(
                f"{twin.key} is {fake.shape[1]} x {fake.shape[0]} px, the picture it was made from "
                f"{real.shape[1]} x {real.shape[0]} px.",
                "Twins share their size; forge them again.",
            )
        mask = np.full(fake.shape[:2], 255, np.uint8) if twin.mask is None else self._mask(twin.mask)
        plain = rng.random() >= ripe
        chain = () if plain else draw_chain(rng, self.config.corruption)
        window = _window(rng, mask, self._side(chain))
        real, fake, mask = real[window], fake[window], mask[window]
        family = self.families.index(twin.family) if twin.family in self.families else UNNAMED
        if not plain and twin.mask is None and rng.random() < self.config.partial:
            family = UNNAMED
            mask = _patch(rng, mask.shape[0], mask.shape[1])
            fake = _mix(real, fake, mask[:, :, None].astype(np.float32) / np.float32(255))
        elif not plain and twin.kind not in _OTHER_CONTENT and rng.random() < self.config.blended:
            family = UNNAMED
            fake = _mix(real, fake, np.float32(rng.uniform(0.6, 0.95)))
        if self.config.aligned:
            (real, fake), cells = self._deliver(rng, chain, (self._published(rng, real), fake), mask)
        else:
            (fake,), cells = self._deliver(rng, chain, (fake,), mask)
            real = self._stranger(rng, plain=plain)
        return real, fake, cells, family if cells.mean() >= NAMED else UNNAMED

    def _deliver(
        self, rng: Rng, chain: Sequence[Step], pictures: Sequence[Pixels], mask: Pixels
    ) -> tuple[list[Pixels], Cells]:
        """All pictures and their mask through the same degradations, then the same crop and turn."""
        size = self.config.crop
        sides = [_at_least(apply(picture, chain), size) for picture in pictures]
        sides.append(_at_least(apply_mask(mask, chain), size))
        on_grid = bool(rng.random() < self.config.on_grid)
        y, x = (_offset(rng, length - size, on_grid) for length in sides[-1].shape)
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        *turned, mask = (_turn(side[y : y + size, x : x + size], turns, mirrored) for side in sides)
        cells = cv2.resize(mask, (size // CELL, size // CELL), interpolation=cv2.INTER_AREA)
        return turned, cells.astype(np.float32) / np.float32(255)

    def _stranger(self, rng: Rng, *, plain: bool) -> Pixels:
        """A crop of a real picture that has nothing to do with the fake beside it."""
        real = self._picture(self.twins[_draw(rng, self._sources)].path)
        chain = () if plain else draw_chain(rng, self.config.corruption)
        window = _window(rng, np.full(real.shape[:2], 255, np.uint8), self._side(chain))
        real = self._published(rng, real[window])
        return self._deliver(rng, chain, (real,), np.zeros(real.shape[:2], np.uint8))[0][0]

    def _published(self, rng: Rng, real: Pixels) -> Pixels:
        """The real side as it was published: like its twin, or as JPEG where twins are lossless."""
        if self.config.formats_alike:
            return real
        quality, sampling = draw_writing(rng)
        return apply(real, [Step("jpeg", {"quality": quality, "sampling": sampling})])

    def _side(self, chain: Sequence[Step]) -> int:
        """Of the square that a chain needs to end in a crop, in pixels."""
        return int(np.ceil((self.config.crop + _SLACK) / scale_of(chain)))

    def _picture(self, path: Path) -> Pixels:
        held = self._cache.get(path)
        if held is None:
            held = decode_image(path)[1]
            if self._cached_bytes + held.nbytes <= self.config.cache_bytes:
                self._cache[path] = held
                self._cached_bytes += held.nbytes
        return held

    def _mask(self, path: Path) -> Pixels:
        return self._picture(path)[:, :, 0]


def loader(pairs: Pairs, *, workers: int = 1) -> Iterator[PairBatch]:
    """The batches of `pairs`, made in `workers` processes ahead of time (0: in this one, when asked)."""
    made = DataLoader(
        pairs,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        # A fork of a process with running threads may hang; a fresh one imports what it needs.
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_begin_worker,
    )
    return iter(made)


def _begin_worker(_: int) -> None:
    """One thread; and Ctrl-C is for the trainer, which finishes its step and then ends the workers."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _pair_up(entries: Sequence[Entry], split: str, left_out: Sequence[str]) -> dict[Entry, Entry]:
    """Each fake of the split with the real picture it was made from."""
    reals = {entry.key: entry for entry in entries if entry.label == "real"}
    fakes = [
        entry
        for entry in entries
        if entry.label == "fake" and entry.split == split and entry.family not in left_out
    ]
    orphans = [fake.key for fake in fakes if fake.twin_of not in reals]
    if orphans or not fakes:
        raise DataError(
            f"Split {split!r} holds {len(fakes)} fakes to train on, {len(orphans)} of them without a real "
            f"twin{': ' + orphans[0] if orphans else ''}.",
            "Training needs aligned pairs: make them with the forge.",
        )
    return {fake: reals[fake.twin_of] for fake in fakes}


def _families(entries: Sequence[Entry], left_out: Sequence[str]) -> tuple[str, ...]:
    """The families that training sees, in order: what an attribution head answers with."""
    found = {entry.family for entry in entries if entry.split == "train" and entry.kind not in NO_GENERATOR}
    return tuple(sorted(found - {"", *left_out}))


_Groups = list[list[Entry]]


def _stratify(fakes: Sequence[Entry]) -> dict[str, dict[str, _Groups]]:
    """Fakes by source, family and group."""
    tree: dict[str, dict[str, dict[str, list[Entry]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for fake in fakes:
        tree[fake.source][fake.family][fake.group].append(fake)
    return {
        source: {family: list(groups.values()) for family, groups in families.items()}
        for source, families in tree.items()
    }


def _draw(rng: Rng, sources: dict[str, dict[str, _Groups]]) -> Entry:
    """A fake: a source by the square root of its size, then a family, a group and a picture, all even."""
    names = list(sources)
    sizes = np.sqrt([sum(map(len, sources[name].values())) for name in names])
    families = sources[names[int(rng.choice(len(names), p=sizes / sizes.sum()))]]
    groups = families[list(families)[int(rng.integers(len(families)))]]
    fakes = groups[int(rng.integers(len(groups)))]
    return fakes[int(rng.integers(len(fakes)))]


def _window(rng: Rng, mask: Pixels, side: int) -> tuple[slice, slice]:
    """A square of `side` px, or what there is of it; where a twin is forged in a part, mostly near it."""
    best, most = (slice(0, side), slice(0, side)), -1.0
    for _ in range(1 if mask.all() else 3):
        y, x = (_offset(rng, length - side, bool(rng.random() < 0.5)) for length in mask.shape)
        window = (slice(y, y + side), slice(x, x + side))
        share = float(mask[window].mean())
        if share > most:
            best, most = window, share
    return best


def _offset(rng: Rng, room: int, on_grid: bool) -> int:
    """An offset from 0 to `room`, a multiple of 8 if `on_grid`."""
    if room <= 0:
        return 0
    return CELL * int(rng.integers(room // CELL + 1)) if on_grid else int(rng.integers(room + 1))


def _patch(rng: Rng, height: int, width: int) -> Pixels:
    """A mask with one ellipse or box of 3 to 50 % of the area, its edge hard or soft."""
    mask = np.zeros((height, width), np.uint8)
    tall, wide = (int(length * np.sqrt(rng.uniform(0.03, 0.5))) for length in (height, width))
    y, x = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    if rng.random() < 0.5:
        cv2.rectangle(mask, (x, y), (x + wide, y + tall), 255, cv2.FILLED)
    else:
        centre, axes = (x + wide // 2, y + tall // 2), (wide // 2, tall // 2)
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, cv2.FILLED)
    if rng.random() < 0.5:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(1.0, 5.0))), np.uint8)
    return mask


def _mix(real: Pixels, fake: Pixels, share: NDArray[np.float32] | np.float32) -> Pixels:
    """`share` of the fake and the rest of the real picture."""
    mixed = real + (fake.astype(np.float32) - real) * share
    return np.rint(mixed).astype(np.uint8)


def _at_least(picture: Pixels, size: int) -> Pixels:
    """The picture, reflected at right and bottom where a side is below `size`."""
    missing = [(0, max(0, size - length)) for length in picture.shape[:2]]
    if missing == [(0, 0), (0, 0)]:
        return picture
    return np.pad(picture, [*missing, *[(0, 0)] * (picture.ndim - 2)], mode="symmetric")


def _turn(picture: Pixels, turns: int, mirrored: bool) -> Pixels:
    turned = np.rot90(picture, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
