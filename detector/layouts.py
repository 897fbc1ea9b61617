"""Labelled folders: what says real or fake is a folder's name, or that of the folder beside it.

ForenSynths, UniversalFakeDetect, GANGen, AIGCDetect, AIGIBench and WildRF label with `0_real` and `1_fake`;
GenImage with `nature` and `ai`, where alphabetical order is the reverse; GenConViT, GenVideo and Hugging
Face's image folders with `real` and `fake`. In DiffusionForensics and RealChain a folder for each generator
stands beside the one called `real`. DRCT-2M names its folders as COCO does, and COCO's own are the reals.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from detector.entries import FOLDERS, SPLITS, SUFFIXES, VIDEO_SUFFIXES, Entry, Label

# What lies beside pictures and is none: masks, landmarks, and what DIRE computed from each picture.
_NO_PICTURES = {"mask", "masks", "landmarks", "recons", "dire"}
_FAKES = {"fake", "1_fake", "0_real", "ai"}
_COCO = re.compile(r"(train|val|test)20\d\d")
_COCO_ITSELF = {"", "coco", "coco2017", "mscoco", "mscoco2017"}
_GENIMAGE = re.compile(r"imagenet(?:_ai)?(?:_\d{4})?_(\w+)")
_GENIMAGE_NAMES = {
    "adm": "ADM", "biggan": "BigGAN", "glide": "Glide", "midjourney": "Midjourney", "vqdm": "VQDM",
    "sdv4": "stable_diffusion_v_1_4", "sdv5": "stable_diffusion_v_1_5", "wukong": "wukong",
}  # fmt: skip
# UniversalFakeDetect's diffusion sets hold fakes alone; these are the reals they are judged against.
_REALS_OF = {
    "guided": "imagenet",
    **dict.fromkeys(
        ("ldm_100", "ldm_200", "ldm_200_cfg", "glide_50_27", "glide_100_10", "glide_100_27", "dalle"), "laion"
    ),
}


_Siblings = dict[Path, set[str]]  # a folder -> the lower-case names of those beside it, and its own


def by_folders(root: Path) -> Iterator[Entry]:
    """Every picture and video below `root` that a name labels, in the order of their paths."""
    siblings: _Siblings = {}
    entries = []
    for path in _media(root, siblings):
        above = path.relative_to(root).parts[:-1]
        entry = _labelled(root, path, above, siblings) or _beside_real(root, path, above, siblings)
        entry = entry or _as_coco(root, path, above)
        if entry is not None:
            entries.append(entry)
    pools = {entry.pool for entry in entries if entry.label == "real"}
    for entry in entries:
        reals = _REALS_OF.get(entry.generator.lower(), "")
        yield replace(entry, pool=reals) if reals in pools and entry.pool not in pools else entry


def unlabelled(root: Path, label: Label, *, prefix: str = "") -> Iterator[Entry]:
    """Everything below `root` under one label; the first folder's name is the generator of a fake."""
    for path in _media(root, {}):
        above = path.relative_to(root).parts[:-1]
        names = _names(above)
        yield Entry(
            path=path,
            key=prefix + path.relative_to(root).as_posix(),
            label=label,
            generator=(names[0] if names else root.name) if label == "fake" else "",
            source="/".join(names) or root.name,
            group="/".join([*names, path.stem]),
            split=split_of(above),
        )


def split_of(folders: Sequence[str]) -> str:
    """The split that one of these folders is named after, or ""."""
    return next((SPLITS[part.lower()] for part in folders if part.lower() in SPLITS), "")


def _labelled(root: Path, path: Path, above: Sequence[str], siblings: _Siblings) -> Entry | None:
    """A folder above the file is a label; one around it is the generator."""
    named = [index for index, part in enumerate(above) if part.lower() in FOLDERS]
    if not named:
        return None
    last = named[-1]
    label = FOLDERS[above[last].lower()]
    if above[last].lower() == "real" and not siblings[root.joinpath(*above[: last + 1])] & _FAKES:
        return _entry(root, path, label, "", _names(above[:last]), pool=_pool(root, above[:last]))
    names = _names([part for index, part in enumerate(above) if index not in named])
    generator = _generator(names[0] if names else root.name)
    return _entry(root, path, label, generator, names, pool=generator)


def _beside_real(root: Path, path: Path, above: Sequence[str], siblings: _Siblings) -> Entry | None:
    """A folder that stands beside one called `real`, where none is called `fake`, is a generator's."""
    for depth in range(len(above), 0, -1):
        beside = siblings[root.joinpath(*above[:depth])]
        if "real" in beside and not beside & _FAKES:
            pool = _pool(root, above[: depth - 1])
            return _entry(root, path, "fake", above[depth - 1], _names(above), pool=pool)
    return None


def _as_coco(root: Path, path: Path, above: Sequence[str]) -> Entry | None:
    """`<generator>/val2017/000000000139.png`: the number is COCO's own, so it ties twins together."""
    places = [index for index, part in enumerate(above) if _COCO.fullmatch(part)]
    if not places:
        return None
    holder = above[places[-1] - 1] if places[-1] else ""
    label: Label = "real" if holder.lower() in _COCO_ITSELF else "fake"
    entry = _entry(root, path, label, holder if label == "fake" else "", _names(above), pool="")
    return replace(entry, group=path.stem, split=SPLITS[above[places[-1]][:-4]])


def _entry(root: Path, path: Path, label: Label, generator: str, names: Sequence[str], *, pool: str) -> Entry:
    return Entry(
        path=path,
        key=path.relative_to(root).as_posix(),
        label=label,
        generator=generator,
        source="/".join(names),
        group="/".join([*names, path.stem]),
        split=split_of(path.relative_to(root).parts[:-1]),
        pool=pool,
    )


def _generator(name: str) -> str:
    """GenImage's name for what its inner folders call `imagenet_ai_0419_sdv5`."""
    inner = _GENIMAGE.fullmatch(name)
    return _GENIMAGE_NAMES.get(inner[1], inner[1]) if inner else name


def _names(folders: Sequence[str]) -> list[str]:
    return [part for part in folders if part.lower() not in SPLITS]


def _pool(root: Path, above: Sequence[str]) -> str:
    return "/".join(_names(above)) or root.name


def _media(root: Path, siblings: _Siblings) -> Iterator[Path]:
    """Each picture and video below `root`; `siblings` learns what stands beside each folder."""
    found = []
    for place, folders, files in os.walk(root):
        folder = Path(place)
        folders[:] = [name for name in folders if name.lower() not in _NO_PICTURES]
        names = {name.lower() for name in folders}
        siblings.update((folder / name, names) for name in folders)
        found += [
            folder / name
            for name in files
            if Path(name).suffix.lower() in SUFFIXES | VIDEO_SUFFIXES and not name.startswith(".")
        ]
    yield from sorted(found)
