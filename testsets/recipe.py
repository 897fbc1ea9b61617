"""What a test set is made of, as a recipe in TOML says it: sources, systems, chains, splits, output.

`docs/testsets.md` explains every key. A recipe that asks for what there is not is refused with its line
before anything is made.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from exports.chance import ANYTHING, Share, Wish
from exports.manifest import MANIFEST
from generators.data import shards
from testsets.aims import Aim, aims_of
from testsets.chains import Chain, chain_of
from testsets.document import Document, Place, RecipeError, Table, nearest
from testsets.shots import Clips, clips_of

READY = Path(__file__).parent / "recipes"
FORMATS = ("source", "drawn", "jpeg", "png")
MARKS = ("none", "pixels", "all")
LAYOUTS = ("forensynths", "genimage", "deepfakebench", "webdataset", "imagefolder", "parquet", "csv")
VIDEOS = "videos"  # the shared films, beside the sets of pictures
SPLITS = ("train", "val", "cal", "test")
_DATE = datetime.date(2026, 1, 1)


@dataclass(frozen=True)
class Source:
    """Where reals come from: a folder, a labelled collection or a shared set, and how they are cut.

    `crop` cuts a window of native pixels, `fit` brings the central square, `centre` of its side, to a size.
    With `clips` its videos are taken, else its pictures.
    """

    name: str
    folder: str = ""
    collection: str = ""
    shards: str = ""
    split: str = ""
    most: int | None = None
    crop: int | None = None
    fit: int | None = None
    centre: float = 1.0
    clips: bool = False
    place: Place = field(default=(), compare=False)

    def at(self, path: Path) -> Source:
        """The same cuts of what lies at another place: a folder of pictures, or a labelled collection."""
        labelled = path.is_file() or (path / MANIFEST).is_file()
        folder, collection = ("", str(path)) if labelled else (str(path), "")
        return replace(
            self, name=_source_name(path.stem), folder=folder, collection=collection, shards="", split=""
        )


@dataclass(frozen=True)
class System:
    """Who forges: a model's name or label, a word for several, or a forger without one; how often, and what
    it is asked for.

    `partial` is the share of its whole pictures that are forged in a region only.
    """

    name: str
    weight: float = 1.0
    partial: float = 0.0
    wish: Wish = ANYTHING
    place: Place = field(default=(), compare=False)


@dataclass(frozen=True)
class Recipe:
    """A test set to be made. `count` reals are taken, each `repeats` times at most, `fakes` made of each.

    With `ladder` each real goes through every chain and every attack of `aims`, else through one. `splits`
    are shares by group; with `keep_splits` those of the source go before.
    """

    name: str
    about: str
    document: Document = field(repr=False)
    sources: tuple[Source, ...]
    systems: tuple[System, ...]
    chains: tuple[Chain, ...] = (Chain("as-is"),)
    aims: tuple[Aim, ...] = ()
    clips: Clips | None = None
    seed: int = 0
    count: int | None = None
    fakes: int = 1
    repeats: int = 1
    ladder: bool = False
    splits: tuple[tuple[str, float], ...] = (("test", 1.0),)
    keep_splits: bool = False
    form: str = "source"
    layouts: tuple[str, ...] = ()
    marks: str = "none"
    date: datetime.date = _DATE

    @property
    def digest(self) -> str:
        """The sha256 of what decides the pictures, but for the models and the reals."""
        return hashlib.sha256(repr(replace(self, layouts=())).encode()).hexdigest()

    def of(self, *, source: Path | None = None, count: int | None = None, seed: int | None = None) -> Recipe:
        """The same recipe with another folder or collection of reals, other counts, another seed."""
        changed = self
        if source is not None:
            changed = replace(changed, sources=(self.sources[0].at(source),))
        if count is not None:
            changed = replace(changed, count=count)
        return changed if seed is None else replace(changed, seed=seed)


def ready() -> dict[str, Path]:
    """The ready recipes by name."""
    return {path.stem: path for path in sorted(READY.glob("*.toml"))}


def find(name: str) -> Recipe:
    """The recipe in a file, or the ready one of that name; raises RecipeError."""
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        return read(path)
    there = ready()
    if name not in there:
        raise RecipeError(
            f"There is no ready recipe {name!r}.", f"There are {nearest(name, there)}; or name a .toml file."
        )
    return read(there[name])


def read(path: Path) -> Recipe:
    """The recipe in a file; raises RecipeError."""
    return parse(Document.read(path), path.parent)


def parse(document: Document, folder: Path = Path()) -> Recipe:
    """The recipe that a document says; folders of it are relative to `folder`. Raises RecipeError."""
    top = document.top()
    output, splits = top.table("output"), top.table("splits")
    ladder, clips = top.flag("ladder"), clips_of(top.table("clips")) if "clips" in top else None
    recipe = Recipe(
        name=top.text("name") or Path(document.name).stem,
        about=top.text("about"),
        document=document,
        sources=tuple(_source(table, folder, clips=clips is not None) for table in top.tables("sources")),
        systems=tuple(system for table in top.tables("systems") for system in _systems(table)),
        chains=tuple(chain_of(table) for table in top.tables("chains")) or (Chain("as-is"),),
        aims=aims_of(top.tables("attacks"), folder, ladder=ladder),
        clips=clips,
        seed=top.whole("seed", 0, least=0) or 0,
        count=top.whole("count", None),
        fakes=top.whole("fakes", 1) or 1,
        repeats=top.whole("repeats", 1) or 1,
        ladder=ladder,
        keep_splits=splits.flag("keep"),
        splits=_splits(splits),
        form=output.text("format", "source", among=FORMATS),
        layouts=output.texts("layouts"),
        marks=output.text("marks", "none", among=MARKS),
        date=_date(output),
    )
    for table in (top, output, splits):
        table.close()
    for layout in recipe.layouts:
        if layout not in LAYOUTS:
            raise output.wrong(
                "layouts", f"There is no layout {layout!r}.", f"There are {nearest(layout, LAYOUTS)}."
            )
    if not recipe.systems:
        raise document.wrong((), "No systems are named.", "Begin one with [[systems]], name = ...")
    if recipe.clips and recipe.aims:
        raise document.wrong(("attacks", 0), "Attacks change pictures, not clips.", "Leave out one of them.")
    if not recipe.sources:
        raise document.wrong((), "No sources are named.", "Begin one with [[sources]], folder = ...")
    _refuse_twice(document, "sources", [source.name for source in recipe.sources])
    _refuse_twice(document, "chains", [chain.name for chain in recipe.chains])
    return recipe


def _source(table: Table, folder: Path, *, clips: bool) -> Source:
    places = {name: table.text(name) for name in ("folder", "collection", "shards")}
    named = [name for name, value in places.items() if value]
    if len(named) > 1:
        raise table.wrong(named[1], f"{' and '.join(named)} are both named.", "A source has one place.")
    sets = (VIDEOS,) if clips else shards.NAMES
    if places["shards"] and places["shards"] not in sets:
        what = "of videos" if clips else "of pictures"
        raise table.wrong(
            "shards",
            f"There is no set {what} called {places['shards']!r}.",
            f"There are {nearest(places['shards'], sets)}.",
        )
    for name in ("folder", "collection"):
        if places[name]:
            places[name] = str(folder / Path(places[name]).expanduser())
    source = Source(
        name=_source_name(table.text("name") or places["shards"] or Path(places[named[0]]).stem)
        if named or "name" in table
        else "photos",
        **places,
        split=table.text("split"),
        most=table.whole("most", None),
        crop=table.whole("crop", None, least=64),
        fit=table.whole("fit", None, least=32),
        centre=table.number("centre", shards.CENTRE.get(places["shards"], 1.0), low=0.1),
        clips=clips,
        place=table.place,
    )
    if source.crop and source.fit:
        raise table.wrong("fit", "crop and fit contradict each other.", "Cut pictures, or shrink them.")
    table.close()
    return source


def _systems(table: Table) -> list[System]:
    if "name" not in table:
        raise table.wrong("name", "A system has no name.", 'Say name = "all" or that of a model.')
    names = table.texts("name")
    boxes = table.value("boxes") or []
    if not isinstance(boxes, list) or not all(_is_box(box) for box in boxes):
        raise table.wrong(
            "boxes", f"boxes is {boxes}.", "Each is [left, top, width, height] in shares of the picture."
        )
    yaw, area = table.numbers("yaw", 2), table.numbers("area", 2)
    if area is not None and not 0 < area[0] <= area[1] <= 1:
        raise table.wrong(
            "area", f"area is {list(area)}.", "It is two shares of the picture, such as [0.05, 0.2]."
        )
    wish = Wish(
        classes=table.texts("classes"),
        captions=table.texts("captions"),
        expressions=table.texts("expressions"),
        units=table.texts("units"),
        yaw=None if yaw is None else (yaw[0], yaw[1]),
        boxes=tuple(_box(box) for box in boxes),
        area=None if area is None else (area[0], area[1]),
    )
    if wish.expressions and wish.units:
        raise table.wrong("units", "units and expressions contradict each other.", "Name one of them.")
    weight, partial = table.number("weight", 1.0, high=1e6), table.number("partial", 0.0)
    table.close()
    return [System(name, weight, partial, wish, table.place) for name in names]


def _splits(table: Table) -> tuple[tuple[str, float], ...]:
    shares = [(name, table.number(name, 0.0)) for name in SPLITS if name in table]
    if not shares:
        return (("test", 1.0),)
    total = sum(share for _, share in shares)
    if abs(total - 1) > 1e-6:
        raise table.wrong(shares[0][0], f"The splits add up to {total:g}.", "Their shares add up to 1.")
    return tuple(shares)


def _date(table: Table) -> datetime.date:
    value = table.value("date")
    if value is None:
        return _DATE
    if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
        raise table.wrong("date", f"date is {value!r}.", "It is a day, such as 2026-01-31, without quotes.")
    return value


def _refuse_twice(document: Document, kind: str, names: list[str]) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise document.wrong((kind, at), f"Two {kind} are called {name!r}.", "Give one another name.")


def _is_box(box: object) -> bool:
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(one, (int, float)) for one in box):
        return False
    left, top, width, height = (float(one) for one in box)
    return min(left, top) >= 0 < min(width, height) and left + width <= 1 and top + height <= 1


def _box(box: list[float]) -> Share:
    left, top, width, height = (float(one) for one in box)
    return left, top, width, height


def _source_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name) or "photos"
