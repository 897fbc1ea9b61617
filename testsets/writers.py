"""A test set in the layouts that the tools of the field read, beside its own, with every item's row.

Folders: ForenSynths (CNNDetection) and GenImage, a real once for each generator that forged it;
DeepfakeBench's listing with its frames and masks; Hugging Face's image folder; a CSV. `testsets/packed.py`
writes those that hold pictures inside. Files share their bytes with the set where the disk allows that;
`items.jsonl` of each has the whole rows, for what a layout has no place for.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from evidence.errors import OutputError, UsageError
from evidence.files import write_whole
from exports.manifest import Row
from generators.delivery import png
from testsets.footage import frames_of, masks_of
from testsets.packed import flat, parquet, webdataset

ITEMS, FOLDER = "items.jsonl", "layouts"
_GENIMAGE = {"train": "train"}  # GenImage has train and val alone
_HUGGING_FACE = {"cal": "validation", "val": "validation"}


def write_layouts(folder: Path, rows: Sequence[Row], layouts: Iterable[str]) -> None:
    """Each layout of the set in `folder`, anew, as `layouts/NAME`; raises OutputError, UsageError."""
    for name in layouts:
        if name == "parquet" and any("frames" in row for row in rows):
            raise UsageError("A Parquet table of pictures holds no clips.", "Name another layout: csv.")
        to = folder / FOLDER / name
        try:
            shutil.rmtree(to, ignore_errors=True)
            to.mkdir(parents=True)
            WRITERS[name](folder, rows, to)
        except OSError as error:
            raise OutputError(
                f"{to} cannot be written: {error.strerror}.", "Free some space, or name fewer layouts."
            ) from error


def placed(path: Path, to: Path) -> None:
    """A file at a second place, sharing the first one's bytes where the disk allows that."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)
    try:
        os.link(path, to)
    except OSError:
        shutil.copy2(path, to)


def forensynths(folder: Path, rows: Sequence[Row], to: Path) -> None:
    """`SPLIT/GENERATOR/{0_real,1_fake}/*`."""

    def place(row: Row, kind: str) -> str:
        return f"{row['split']}/{row['generator']}/{kind}"

    _by_generator(folder, rows, to, place, "0_real", "1_fake")


def genimage(folder: Path, rows: Sequence[Row], to: Path) -> None:
    """`GENERATOR/imagenet_ai_0101_GENERATOR/{train,val}/{ai,nature}/*`."""

    def place(row: Row, kind: str) -> str:
        name = row["generator"]
        return f"{name}/imagenet_ai_0101_{name}/{_GENIMAGE.get(row['split'], 'val')}/{kind}"

    _by_generator(folder, rows, to, place, "nature", "ai")


def deepfakebench(folder: Path, rows: Sequence[Row], to: Path) -> None:
    """`touchstone.json`, `{DATASET: {LABEL: {SPLIT: {VIDEO: {label, frames}}}}}`, and `touchstone/`.

    A picture is a video of one frame; the frames of a clip are written as PNG. Masks lie beside the frames,
    as theirs do.
    """
    listing: dict[str, Any] = {}
    items = []
    for row in rows:
        label = row["generator"] or "real"
        place = f"touchstone/{label}/frames/{row['order']['stem']}"
        names = _frames(folder, row, to, place) if "frames" in row else [f"{place}/000{_suffix(row)}"]
        if "frames" not in row:
            placed(folder / row["path"], to / names[0])
            if row.get("mask"):
                placed(folder / row["mask"], to / _beside(names[0]))
        videos = listing.setdefault(label, {}).setdefault(row["split"], {})
        videos[row["order"]["stem"]] = {"label": label, "frames": names}
        items += [row | {"file": name} for name in names]
    write_whole(to / "touchstone.json", f"{json.dumps({'touchstone': listing}, indent=1)}\n".encode())
    _write_items(to, items)


def imagefolder(folder: Path, rows: Sequence[Row], to: Path) -> None:
    """Hugging Face's image folder: `SPLIT/*` with `SPLIT/metadata.jsonl`; masks lie in `masks/`."""
    by_split: dict[str, list[dict[str, Any]]] = {}
    named = {row["path"]: _name(row) for row in rows}
    items = []
    for row in rows:
        split = _HUGGING_FACE.get(str(row["split"]), str(row["split"]))
        name = _name(row)
        placed(folder / row["path"], to / split / name)
        said = {"file_name": name} | flat(row, named)
        if row.get("mask"):
            said["mask"] = f"../masks/{PurePosixPath(name).with_suffix('.png').name}"
            placed(folder / row["mask"], to / "masks" / PurePosixPath(said["mask"]).name)
        by_split.setdefault(split, []).append(said)
        items.append(row | {"file": f"{split}/{name}"})
    for split, said_rows in by_split.items():
        write_whole(to / split / "metadata.jsonl", _lines(said_rows))
    _write_items(to, items)


def table(folder: Path, rows: Sequence[Row], to: Path) -> None:
    """`labels.csv` and the files of the set beside it, under their names in the set."""
    columns: dict[str, None] = {"path": None, "label": None, "generator": None, "split": None}
    said = []
    for row in rows:
        for name in (row["path"], row.get("mask")):
            if name:
                placed(folder / name, to / name)
        said.append(flat(row) | {"path": row["path"], "mask": row.get("mask") or ""})
        columns |= dict.fromkeys(said[-1])
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(said)
    write_whole(to / "labels.csv", text.getvalue().encode())
    _write_items(to, [row | {"file": row["path"]} for row in rows])


def _frames(folder: Path, row: Row, to: Path, place: str) -> list[str]:
    """The frames of a clip and their masks, each a PNG; their names."""
    frames = frames_of(folder / row["path"])
    names = [f"{place}/{number:03d}.png" for number in range(len(frames))]
    masks = masks_of(folder / row["mask"], len(frames)) if row.get("mask") else []
    written = [*zip(names, frames, strict=True), *zip(map(_beside, names), masks, strict=False)]
    for name, pixels in written:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(to / name, png(pixels))
    return names


def _beside(frame: str) -> str:
    """Where DeepfakeBench has the mask of a frame."""
    return frame.replace("/frames/", "/masks/", 1).rpartition(".")[0] + ".png"


Writer = Callable[[Path, Sequence[Row], Path], None]


def _packed(write: Writer) -> Writer:
    def packed(folder: Path, rows: Sequence[Row], to: Path) -> None:
        write(folder, rows, to)
        _write_items(to, rows)

    return packed


WRITERS: dict[str, Writer] = {
    "forensynths": forensynths,
    "genimage": genimage,
    "deepfakebench": deepfakebench,
    "webdataset": _packed(webdataset),
    "imagefolder": imagefolder,
    "parquet": _packed(parquet),
    "csv": table,
}


def read_items(layout: Path) -> Iterator[Row]:
    """The rows of a layout, with the `file` in which each is."""
    for line in (layout / ITEMS).read_text("utf-8").splitlines():
        yield json.loads(line)


def _by_generator(
    folder: Path, rows: Sequence[Row], to: Path, place: Callable[[Row, str], str], real: str, fake: str
) -> None:
    """Each forgery in its generator's folder, and its real in the folder beside it; masks apart."""
    by_path = {row["path"]: row for row in rows}
    items: dict[str, Row] = {}
    for row in rows:
        if row["label"] == "real":
            continue
        stem = row["order"]["stem"]
        for one, kind in ((by_path[row["twin_of"]], real), (row, fake)):
            file = f"{place(row, kind)}/{stem}{_suffix(row)}"
            if file not in items:
                placed(folder / one["path"], to / file)
                items[file] = one | {"file": file}
        if row.get("mask"):
            mask = f"{place(row, 'masks')}/{stem}.png"
            placed(folder / row["mask"], to / mask)
            items[file]["mask"] = mask
    _write_items(to, list(items.values()))


def _name(row: Row) -> str:
    return f"{row['generator'] or 'real'}-{row['order']['stem']}{_suffix(row)}"


def _suffix(row: Row) -> str:
    return PurePosixPath(row["path"]).suffix


def _write_items(to: Path, rows: Sequence[Row]) -> None:
    write_whole(to / ITEMS, _lines(rows))


def _lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
