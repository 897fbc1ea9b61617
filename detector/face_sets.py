"""Face and video benchmarks by their own listings: DeepfakeBench and DF40, FaceForensics++, Celeb-DF, DFDC.

Groups are persons: in FaceForensics++ and Celeb-DF the names of forgeries tell whose faces were mixed, and
what was made of one source falls into one group. The label comes from names: Celeb-DF's list marks reals
with 1, the others fakes, so of such lists only the choice of videos is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from detector.entries import SPLITS, VIDEO_SUFFIXES, Entry, Label
from evidence.errors import DataError

_DFDC = "metadata.json"
_COMPRESSIONS = {"raw", "c0", "c23", "c40"}
# Parts of the labels of DeepfakeBench that mean a real one: FF-real, DFD_real, CelebDFv1_real, DFDC_Real ...
_REAL = re.compile(r"(^|[_\-])real$|^real", re.IGNORECASE)
_CELEB: dict[str, Label] = {"Celeb-real": "real", "YouTube-real": "real", "Celeb-synthesis": "fake"}
_CELEB_TEST = "List_of_testing_videos.txt"
_SHAPE = "The listing is {DATASET: {LABEL: {split: {video: {label, frames}}}}}, as DeepfakeBench has it."
_MOST_BYTES = 2**30


def listings_in(folder: Path) -> list[Path]:
    """The JSON listings at the top of a folder, and DFDC's in each of its parts."""
    found = [path for path in sorted(folder.glob("*.json")) if is_listing(path)]
    return found or [path for path in sorted(folder.glob(f"*/{_DFDC}")) if is_listing(path)]


def is_listing(path: Path) -> bool:
    """Whether a file is a listing of DeepfakeBench or DFDC."""
    if path.suffix != ".json":
        return False
    try:
        content = _json(path)
    except DataError:
        return False
    return _is_dfdc(content) or any(_is_split(part) for part in _nested(content, 2))


def listed(listing: Path) -> Iterator[Entry]:
    """The entries of one listing."""
    content = _json(listing)
    if _is_dfdc(content):
        yield from _dfdc(listing, content)
        return
    for dataset, labels in _mapping(content, listing).items():
        for label, splits in _mapping(labels, listing).items():
            for split, videos in _mapping(splits, listing).items():
                yield from _bench(listing, f"{dataset}/{label}", label, split, _mapping(videos, listing))


def by_folders(root: Path) -> Iterator[Entry] | None:
    """The entries of Celeb-DF or FaceForensics++, or None where `root` is neither."""
    if any((root / name).is_dir() for name in _CELEB):
        return _celeb(root)
    if any((root / name).is_dir() for name in ("original_sequences", "manipulated_sequences")):
        return _forensics(root)
    return None


def _bench(
    listing: Path, name: str, label_name: str, split: str, videos: Mapping[str, Any]
) -> Iterator[Entry]:
    """DeepfakeBench: {video: {label, frames}}, for FF++ below the name of a compression."""
    for key, value in sorted(videos.items()):
        if key in _COMPRESSIONS:
            yield from _bench(listing, f"{name}/{key}", label_name, split, _mapping(value, listing))
            continue
        frames = _mapping(value, listing).get("frames")
        if not isinstance(frames, list):
            raise DataError(f"Video {key} of {name} in {listing} lists no frames.", _SHAPE)
        own = str(value.get("label") or label_name)
        label: Label = "real" if _REAL.search(own) else "fake"
        for frame in sorted(frames, key=_number):
            place = _place(listing.parent, str(frame).replace("\\", "/"))
            mask = Path(*("masks" if part == "frames" else part for part in place.parts)).with_suffix(".png")
            yield Entry(
                path=place,
                key=f"{name}/{split}/{key}/{PurePosixPath(str(frame).replace(chr(92), '/')).name}",
                label=label,
                generator="" if label == "real" else own,
                source=name,
                group=person_of(key, own),
                split=SPLITS.get(split, split),
                video=f"{name}/{key}",
                mask=mask if label == "fake" and mask != place and mask.is_file() else None,
            )


def _place(folder: Path, frame: str) -> Path:
    """Where a frame lies: below the listing's folder, or below one above it, or their `rgb`."""
    relative = PurePosixPath(frame.removeprefix("./"))
    if relative.is_absolute():
        return Path(relative)
    for base in (folder, *folder.parents[:4]):
        for inner in ("", "rgb", "datasets/rgb", "datasets"):
            if (base / inner / relative.parts[0]).exists():
                return base / inner / relative
    return folder / relative


def _forensics(root: Path) -> Iterator[Entry]:
    """original_sequences/{youtube,actors}/<c>/videos and manipulated_sequences/<method>/<c>/videos."""
    pairs, split_of = _pairs(root)
    for kind, label in (("original_sequences", "real"), ("manipulated_sequences", "fake")):
        for path in sorted((root / kind).glob("*/*/videos/*")):
            method, compression = path.parts[-4], path.parts[-3]
            if path.suffix.lower() not in VIDEO_SUFFIXES or compression == "masks":
                continue
            first = path.stem.split("_")[0]
            yield Entry(
                path=path,
                key=path.relative_to(root).as_posix(),
                label="real" if label == "real" else "fake",
                generator="" if label == "real" else f"{method}/{compression}",
                source=f"{method}/{compression}",
                group=pairs.get(first, person_of(path.stem, method)),
                split=split_of.get(first, ""),
                pool=compression,
            )


def _pairs(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """From train.json, val.json and test.json: the pair and the split that a source belongs to."""
    pairs, splits = {}, {}
    for folder in (root, root / "splits"):
        for split in ("train", "val", "test"):
            if not (folder / f"{split}.json").is_file():
                continue
            for pair in _json(folder / f"{split}.json"):
                for source in pair:
                    pairs[str(source)] = "_".join(sorted(str(one) for one in pair))
                    splits[str(source)] = split
    return pairs, splits


def _celeb(root: Path) -> Iterator[Entry]:
    tested = set()
    if (root / _CELEB_TEST).is_file():
        lines = (root / _CELEB_TEST).read_text("utf-8", "replace").splitlines()
        tested = {line.split(maxsplit=1)[-1].strip() for line in lines if line.strip()}
    for name, label in _CELEB.items():
        for path in sorted((root / name).rglob("*")):
            if path.suffix.lower() not in VIDEO_SUFFIXES:
                continue
            key = path.relative_to(root).as_posix()
            plain = f"{name}/{path.name}"  # the list leaves the folder `videos` out
            yield Entry(
                path=path,
                key=key,
                label=label,
                generator=name if label == "fake" else "",
                source=name,
                group=person_of(path.stem, name),
                split="test" if tested & {key, plain} else "train" if tested else "",
            )


def _dfdc(listing: Path, content: Mapping[str, Mapping[str, Any]]) -> Iterator[Entry]:
    place = listing.parent.name
    for name, row in sorted(content.items()):
        fake = str(row["label"]).upper() == "FAKE"
        original = str(row.get("original") or name)
        entry = Entry(
            path=listing.parent / name,
            key=f"{place}/{name}",
            label="fake" if fake else "real",
            generator="DFDC" if fake else "",
            source="DFDC",
            group=Path(original).stem,
            split=SPLITS.get(str(row.get("split") or "").lower(), ""),
        )
        yield replace(entry, twin_of=f"{place}/{original}") if fake and original != name else entry


def person_of(video: str, source: str) -> str:
    """Whom a video shows, by its name: `id3_id7_0002` and `id3_0001` show id3, `035_036` shows 035."""
    whole = PurePosixPath(video.replace("\\", "/")).name.split(".")[0]
    match = re.match(r"(id\d+|\d{2,3})(?:_|$)", whole)
    return match[1] if match else f"{source}/{whole}"


def _mapping(part: Any, listing: Path) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise DataError(f"{listing} holds {part!r:.60} where names are due.", _SHAPE)
    return part


def _number(frame: Any) -> tuple[int, str]:
    stem = PurePosixPath(str(frame).replace("\\", "/")).stem
    return (int(stem), "") if stem.isdigit() else (-1, stem)


def _is_dfdc(content: Any) -> bool:
    rows = list(content.values()) if isinstance(content, dict) else []
    return bool(rows) and all(
        isinstance(row, dict) and str(row.get("label")).upper() in ("FAKE", "REAL") for row in rows
    )


def _is_split(part: Any) -> bool:
    return isinstance(part, dict) and bool(set(part) & set(SPLITS))


def _nested(content: Any, depth: int) -> Sequence[Any]:
    """The values `depth` levels down; none where one of them is no mapping."""
    level = [content]
    for _ in range(depth):
        level = [inner for part in level if isinstance(part, dict) for inner in part.values()]
    return level


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is larger than 1 GiB")
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.", "Fetch it again, or take it away.") from error
