"""Layouts that hold their pictures inside: WebDataset's tars, Parquet tables as Hugging Face has them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from evidence.errors import UsageError
from exports.manifest import Row

SAMPLES = 1000  # in a shard
_PLAIN = (str, int, float, bool)


def flat(row: Row, named: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A row without its file's place, for tables: what is no text or number as JSON, what is not there "".

    `named` says what pictures are called where the row names them otherwise.
    """
    said: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("path", "mask"):
            continue
        if key == "twin_of":
            value = (named or {}).get(value or "", value)
        said[key] = value if isinstance(value, _PLAIN) else "" if value is None else json.dumps(value)
    return said


def webdataset(folder: Path, rows: Sequence[Row], to: Path) -> None:
    """`SPLIT-000000.tar`, a sample a picture: `KEY.jpg`, `KEY.json`, `KEY.mask.png` if it has one."""
    for name, part in _shards(rows):
        named = {row["path"]: f"{_key(row)}{_suffix(row)}" for row in part}
        with tarfile.open(to / f"{name}.tar", "w", format=tarfile.PAX_FORMAT) as tar:
            for row in part:
                picture = folder / row["path"]
                seconds = int(picture.stat().st_mtime)
                said = {key: value for key, value in row.items() if key not in ("path", "mask")}
                if row.get("twin_of"):
                    said["twin_of"] = named[row["twin_of"]]
                _add(tar, named[row["path"]], picture.read_bytes(), seconds)
                _add(tar, f"{_key(row)}.json", json.dumps(said).encode(), seconds)
                if row.get("mask"):
                    _add(tar, f"{_key(row)}.mask.png", (folder / row["mask"]).read_bytes(), seconds)


def parquet(folder: Path, rows: Sequence[Row], to: Path) -> None:
    """`data/SPLIT-000000.parquet`, the picture in the column `image`, a mask in `mask_image`."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise UsageError(
            "The layout parquet needs pyarrow, which is not installed.",
            "Install it: pip install 'touchstone[archives]', or leave the layout out.",
        ) from None
    picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    (to / "data").mkdir()
    for name, part in _shards(rows):
        said = [flat(row) for row in part]
        columns = list(dict.fromkeys(key for row in said for key in row))
        held = {
            "path": pyarrow.array([row["path"] for row in part]),
            "image": pyarrow.array([_cell(folder, row["path"]) for row in part], picture),
            "mask_image": pyarrow.array([_cell(folder, row.get("mask")) for row in part], picture),
            **{key: _column(pyarrow, [row.get(key, "") for row in said]) for key in columns},
        }
        images = {"info": {"features": {key: {"_type": "Image"} for key in ("image", "mask_image")}}}
        whole = pyarrow.table(held).replace_schema_metadata({"huggingface": json.dumps(images)})
        pyarrow.parquet.write_table(whole, to / "data" / f"{name}.parquet", row_group_size=100)


def _column(pyarrow: Any, values: list[Any]) -> Any:
    """Numbers where all are, else text."""
    kinds = {type(value) for value in values}
    return pyarrow.array(values if len(kinds) == 1 else [str(value) for value in values])


def _cell(folder: Path, name: str | None) -> dict[str, Any] | None:
    if not name:
        return None
    return {"bytes": (folder / name).read_bytes(), "path": PurePosixPath(name).name}


def _shards(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each split in parts; what was made of a real lies in its part."""
    by_split: dict[str, list[Row]] = {}
    for row in rows:
        by_split.setdefault(row["split"], []).append(row)
    for split, own in by_split.items():
        part: list[Row] = []
        number = 0
        for row in own:
            if len(part) >= SAMPLES and row["label"] == "real":
                yield f"{split}-{number:06d}", part
                part, number = [], number + 1
            part.append(row)
        yield f"{split}-{number:06d}", part


def _key(row: Row) -> str:
    return f"{row['order']['stem']}-{row['generator'] or 'real'}".replace(".", "_")


def _suffix(row: Row) -> str:
    return PurePosixPath(row["path"]).suffix


def _add(tar: tarfile.TarFile, name: str, data: bytes, seconds: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(data), seconds
    tar.addfile(member, io.BytesIO(data))
