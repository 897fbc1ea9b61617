"""Which models are installed: `models.json` of the shipped folder and of the user's, read and kept.

Each row names a file, its sha256 and what is known of it. A model is used only while its bytes have
the sum that was written down when it was published. The user's folders (`TOUCHSTONE_MODELS`, several
divided by the path separator) may hold a `models.json` of their own and third-party ONNX detectors,
each with a small TOML beside it (`exports/third_party.py`). Rows found later win.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, cast

from evidence.errors import ModelError, ModelNotFound, ModelTampered
from evidence.files import locked, write_whole
from exports.third_party import ForeignInterface, read_toml

SCHEMA = "touchstone.models/1"
INDEX = "models.json"
SHIPPED = Path(__file__).parent / "models"

Kind = Literal["detector", "generator", "face"]
KINDS: tuple[Kind, ...] = ("detector", "generator", "face")


@dataclass(frozen=True)
class ModelEntry:
    """One installed model: where its file lies, its sum, and what its maker measured.

    `inputs` and `outputs` are `{"name", "dtype", "shape"}`, free axes by name. `calibration` is that
    of `detector.thresholds.Calibration`. `foreign` says how to talk to a third-party detector; ours
    have none. `folder` is where the row was found and is not written down.
    """

    name: str
    version: str
    kind: Kind
    file: str
    sha256: str
    size_bytes: int
    default: bool = False
    task: str = ""
    inputs: tuple[Mapping[str, Any], ...] = ()
    outputs: tuple[Mapping[str, Any], ...] = ()
    opset: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    licence: str = ""
    card: str = ""
    folder: Path = SHIPPED
    foreign: ForeignInterface | None = None

    @property
    def path(self) -> Path:
        """The model file."""
        return self.folder / self.file

    @property
    def label(self) -> str:
        """`name@version`, as people and messages say it."""
        return f"{self.name}@{self.version}"

    def read(self) -> bytes:
        """The model's bytes, once their sha256 is the one written down; raises `ModelTampered`."""
        data = _read_model(self.path)
        found = sha256(data).hexdigest()
        if found != self.sha256:
            raise ModelTampered(
                f"The file of model {self.label}, {self.path}, has sha256 {found}; expected {self.sha256}.",
                "Do not use it: restore the file from the release, or publish it again under a new version "
                "if you changed it on purpose.",
            )
        return data

    def to_dict(self) -> dict[str, Any]:
        """The row of `models.json`."""
        row = asdict(self)
        del row["folder"], row["foreign"]
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any], folder: Path) -> ModelEntry:
        """The entry a row of `models.json` in `folder` tells of; raises `ModelError`."""
        known = {item.name for item in fields(cls)} - {"folder", "foreign"}
        unknown, missing = set(row) - known, _REQUIRED - set(row)
        if unknown or missing:
            raise ModelError(
                f"A row of {folder / INDEX} has unknown fields {sorted(unknown)}, misses {sorted(missing)}.",
                "Write the row with `touchstone export`, not by hand.",
            )
        if row["kind"] not in KINDS or Path(row["file"]).name != row["file"]:
            raise ModelError(
                f"A row of {folder / INDEX} has kind {row['kind']!r} and file {row['file']!r}.",
                f"The kind is one of {', '.join(KINDS)}, the file lies in the same folder.",
            )
        tuples = {key: tuple(row[key]) for key in ("inputs", "outputs") if key in row}
        return cls(**{**row, **tuples}, folder=folder)

    @classmethod
    def from_toml(cls, path: Path) -> ModelEntry:
        """A third-party detector from the TOML beside its ONNX file; see `exports/third_party.py`."""
        table, foreign = read_toml(path)
        file = path.parent / str(table.get("file", path.with_suffix(".onnx").name))
        data = _read_model(file)
        return cls(
            name=str(table.get("name", path.stem)),
            version=str(table.get("version", "0")),
            kind="detector",
            file=os.path.relpath(file, path.parent),
            sha256=str(table.get("sha256", sha256(data).hexdigest())),
            size_bytes=len(data),
            task="third-party detector",
            calibration=table.get("calibration", _at(foreign.threshold)),
            licence=str(table.get("licence", "unknown")),
            folder=path.parent,
            foreign=foreign,
        )

    @classmethod
    def from_file(cls, path: Path, kind: Kind = "detector") -> ModelEntry:
        """An ONNX file that no registry lists: with a TOML beside it third-party, else one of ours."""
        beside = path.with_suffix(".toml")
        if beside.is_file():
            return cls.from_toml(beside)
        data = _read_model(path)
        digest = sha256(data).hexdigest()
        return cls(path.stem, "0", kind, path.name, digest, len(data), folder=path.parent)


def _at(threshold: float | None) -> Mapping[str, Any] | None:
    """The calibration of a detector of which its maker's threshold alone is known."""
    if threshold is None:
        return None
    told = "nothing: the threshold is its maker's"
    return {"fake_at": threshold, "real_below": threshold, "measured_on": told}


_REQUIRED = {"name", "version", "kind", "file", "sha256", "size_bytes"}


class Registry:
    """The installed models of one or more folders; the first folder is where `add` writes."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._entries = [entry for folder in self.folders for entry in _entries_of(folder)]

    def __iter__(self) -> Iterator[ModelEntry]:
        return iter(self._entries)

    def get(self, name: str) -> ModelEntry:
        """The model `name`, `name@version`, or of the ONNX file at path `name`; raises `ModelNotFound`.

        `name` may also be a system of which one model is installed.
        """
        if name.endswith(".onnx"):
            return ModelEntry.from_file(Path(name))
        for entry in reversed(self._entries):
            if name in (entry.name, entry.label):
                return entry
        own = [entry for entry in self._entries if entry.tags.get("system") == name]
        if len({entry.name for entry in own}) == 1:
            return own[-1]
        what = (
            f"Several installed models are of {name!r}" if own else f"No installed model is called {name!r}"
        )
        raise ModelNotFound(
            f"{what}; there are: {_names(own or self._entries)}.",
            "Name one of these, give the path of an ONNX file, or set TOUCHSTONE_MODELS to its folder.",
        )

    def of_kind(self, kind: Kind) -> list[ModelEntry]:
        """All installed models of one kind, in the order they were added."""
        return [entry for entry in self._entries if entry.kind == kind]

    def default(self, kind: Kind) -> ModelEntry:
        """The model used when nobody names one; raises `ModelNotFound`."""
        for entry in reversed(self._entries):
            if entry.kind == kind and entry.default:
                return entry
        raise ModelNotFound(
            f"No installed {kind} is the default one; there are: {_names(self._entries)}.",
            f"Name a model, or publish one with `touchstone export` and make it the default {kind}.",
        )

    def verify(self, name: str) -> ModelEntry:
        """The entry, once its file's sum was found right; raises `ModelTampered`, `ModelNotFound`."""
        entry = self.get(name)
        entry.read()
        return entry

    def add(self, entry: ModelEntry) -> ModelEntry:
        """Write one row down in the first folder, instead of the same name and version if there is one.

        The index is replaced whole under a lock, so a reader sees the old or the new one. A new
        default takes the place of the former default of its kind. Raises `OutputError`.
        """
        folder = self.folders[0]
        entry = replace(entry, folder=folder)
        with locked(folder):
            rows = [kept for kept in _listed(folder) if kept.label != entry.label]
            if entry.default:
                rows = [replace(row, default=row.default and row.kind != entry.kind) for row in rows]
            _write_index(folder, [*rows, entry])
        self._entries = [item for place in self.folders for item in _entries_of(place)]
        return entry


def registry(*folders: Path) -> Registry:
    """The registry of `folders`; by default of the shipped models and those of `TOUCHSTONE_MODELS`."""
    if folders:
        return Registry(folders)
    extra = os.environ.get("TOUCHSTONE_MODELS", "").split(os.pathsep)
    return Registry([SHIPPED, *(Path(folder).expanduser() for folder in extra if folder)])


def _entries_of(folder: Path) -> list[ModelEntry]:
    if not folder.is_dir():
        raise ModelError(
            f"The model folder {folder} does not exist.", "Create it, or correct TOUCHSTONE_MODELS."
        )
    return [*_listed(folder), *(ModelEntry.from_toml(path) for path in sorted(folder.glob("*.toml")))]


def _listed(folder: Path) -> list[ModelEntry]:
    """The rows of a folder's index; none when there is no index."""
    path = folder / INDEX
    if not path.is_file():
        return []
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Restore it from the release.") from error
    if not isinstance(index, dict) or index.get("schema") != SCHEMA:
        raise ModelError(f"{path} is not of schema {SCHEMA}.", "Use the index of the same release.")
    rows = cast(list[dict[str, Any]], index.get("models", []))
    return [ModelEntry.from_dict(row, folder) for row in rows]


def _names(entries: Sequence[ModelEntry]) -> str:
    return ", ".join(entry.label for entry in entries) or "none"


def _read_model(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelNotFound(
            f"The model file {path} cannot be read: {error.strerror}.",
            "Restore it from the release, or take its row out of models.json.",
        ) from error


def _write_index(folder: Path, entries: Sequence[ModelEntry]) -> None:
    text = json.dumps({"schema": SCHEMA, "models": [entry.to_dict() for entry in entries]}, indent=2)
    write_whole(folder / INDEX, f"{text}\n".encode())
