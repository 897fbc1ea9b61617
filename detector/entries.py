"""One labelled picture or video of a collection, and the words and names that collections label with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from evidence.errors import DataError

Label = Literal["real", "fake"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic"}
VIDEO_SUFFIXES = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"}
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "cal": "cal",
    "test": "test",
}

FOLDERS: dict[str, Label] = {
    "0_real": "real",
    "1_fake": "fake",
    "nature": "real",
    "ai": "fake",
    "real": "real",
    "fake": "fake",
}
WORDS: dict[str, Label] = {
    "real": "real",
    "0": "real",
    "false": "real",
    "nature": "real",
    "pristine": "real",
    "0_real": "real",
    "fake": "fake",
    "1": "fake",
    "true": "fake",
    "ai": "fake",
    "generated": "fake",
    "1_fake": "fake",
}
NO_GENERATOR = ("self-blended", "splice")  # kinds of forgery that are genuine pixels put together


class Content(Protocol):
    """A file that lies inside another one."""

    def read(self) -> bytes:
        """Its bytes; raises MediaError."""


@dataclass(frozen=True)
class Entry:
    """One labelled picture or video.

    `key` is its path relative to the collection. `group` ties together what must not be split: a
    source picture and its forgeries, a person, a video. `pool` names the reals that a fake is judged
    against, where those of its generator are not meant. `video` ties the frames of one video together.
    `twin_of` is the key of the real picture that a forgery was made from, `mask` a picture that is white
    where it is forged (None: all of it). `kind` says how a forgery was made, `treatment` what was done to
    a real and its forgeries alike, `attack` what was done to deceive a detector. `inside` gives the bytes of
    what lies in a tar or a table.
    """

    path: Path
    key: str
    label: Label
    generator: str = ""
    family: str = ""
    source: str = ""
    group: str = ""
    split: str = ""
    twin_of: str = ""
    mask: Path | None = None
    pool: str = ""
    video: str = ""
    inside: Content | None = None
    upsampler: str = ""
    kind: str = ""
    treatment: str = ""
    attack: str = ""


def entry_of(
    root: Path, row: Mapping[str, Any], key: str, *, path: Path | None = None, inside: Content | None = None
) -> Entry:
    """The entry that a row of a table speaks of; paths in it are relative to `root`. Raises DataError."""
    label, generator = _label_of(row, key)
    mask = row.get("mask")
    return Entry(
        path=path or root / key,
        key=key,
        label=label,
        generator=generator,
        family=str(row.get("family") or ""),
        source=str(row.get("source") or row.get("real_source") or ""),
        group=str(row.get("group") or Path(key).stem),
        split=SPLITS.get(str(row.get("split") or "").lower(), str(row.get("split") or "")),
        twin_of=str(row.get("twin_of") or ""),
        mask=root / str(mask) if mask else None,
        pool=str(row.get("pool") or ""),
        video=str(row.get("video") or ""),
        inside=inside,
        upsampler=str(row.get("upsampler") or ""),
        kind=str(row.get("kind") or ""),
        treatment=str(row.get("treatment") or ""),
        attack=_attack_of(row.get("attack")),
    )


def _attack_of(said: Any) -> str:
    """The attack as one writes it: `square:queries=1000`; a manifest holds it as name and settings."""
    if not isinstance(said, Mapping):
        return str(said or "")
    settings = said.get("settings") or {}
    return ":".join(
        filter(None, (str(said.get("name")), ",".join(f"{key}={value}" for key, value in settings.items())))
    )


def _label_of(row: Mapping[str, Any], key: str) -> tuple[Label, str]:
    """Label and generator; Synthbuster's `typ` holds "real" or the name of a generator."""
    generator = str(row.get("generator") or row.get("model_name") or row.get("architecture") or "")
    said = row.get("label")
    if said is None or said == "":
        said = row.get("typ")
        if said and str(said).strip().lower() not in WORDS:
            return "fake", generator or str(said)
    word = str(said).strip().lower() if said is not None else ""
    if word not in WORDS:
        found = f"has the label {word!r}" if word else "has no label"
        raise DataError(f"{key} {found}.", f"Labels are {', '.join(sorted(WORDS))}.")
    label = WORDS[word]
    return label, "" if label == "real" and generator.lower() in ("real", "none", "nan") else generator
