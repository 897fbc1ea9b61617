"""Attacks of a recipe: what is done to how many pictures, against which detector, and what is recorded.

A picture is attacked as it was delivered, as `touchstone testset attack` attacks a file; it and what stands
beside it are then written as PNG, without loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evidence.errors import DataError, TouchstoneError, UsageError
from evidence.image import decode_image
from exports.manifest import Row
from generators.delivery import png
from testsets.attacking import strike
from testsets.attacks import KINDS, Attack, attack, parse, ready
from testsets.document import Place, Table, nearest
from testsets.target import Target

if TYPE_CHECKING:
    from detector.entries import Label
    from testsets.recipe import Recipe

SIDES = ("fakes", "reals", "both")


class OpenTarget(Protocol):
    """Opens the detector of that name or file, None being the default one; raises ModelError."""

    def __call__(self, place: str | None, tiles: int | None = None) -> Target: ...


@dataclass(frozen=True)
class Aim:
    """One attack of a recipe: `share` of the reals go under it, with their forgeries; None: what is left.

    `on` says whose pictures are attacked. `target` is a detector's name or file, "" the default one.
    """

    attack: Attack
    share: float | None = None
    on: str = "fakes"
    target: str = ""
    place: Place = field(default=(), compare=False, repr=False)

    @property
    def asks(self) -> bool:
        """Whether a detector is asked: laundering needs none, but may be told of one."""
        return self.attack.needs != "pixels" or bool(self.target)


@dataclass(frozen=True)
class Foe:
    """A detector that a set attacks: its label and sum, where it was found, how many tiles it looks at."""

    label: str
    sha256: str
    place: str
    tiles: int


@dataclass(frozen=True)
class Raid:
    """An attack on the pictures of one order; `target` is the label of the detector, "" for none."""

    attack: Attack
    on: str
    seed: int
    target: str = ""
    target_sha256: str = ""

    def strikes(self, label: Label) -> bool:
        """Whether pictures of that label are attacked."""
        return self.on in ("both", f"{label}s")

    def row(self) -> Row:
        """What a manifest says of it; `from_row` reads it back."""
        return {**vars(self), "attack": self.attack.to_dict()}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Raid:
        """The raid that `row` wrote down."""
        return cls(**{**row, "attack": attack(**row["attack"])})

    def on_picture(self, content: bytes, label: Label, target: Target | None) -> tuple[bytes, Row]:
        """A delivered file as it leaves the raid, always as PNG, and what the manifest says of it."""
        pixels = decode_image(content)[1]
        if not self.strikes(label):
            return png(pixels), {}
        found = strike(self.attack, pixels, label, target, self.seed)
        said: Row = {
            "attack": self.attack.to_dict(),
            "attack_seed": self.seed,
            "target": self.target,
            "target_sha256": self.target_sha256,
            **found.to_dict(),
        }
        return png(found.pixels), said


def aims_of(tables: Sequence[Table], folder: Path, *, ladder: bool) -> tuple[Aim, ...]:
    """The attacks that the tables of a recipe say, with every share; raises RecipeError."""
    aims = [_aim(table, folder, ladder=ladder) for table in tables]
    said = sum(aim.share for aim in aims if aim.share is not None)
    open_ = sum(aim.share is None for aim in aims)
    if said > 1 + 1e-9:
        raise tables[0].wrong("share", f"The attacks take {said:g} of the reals.", "Let it be 1 at most.")
    rest = (1 - said) / max(1, open_)
    for at, table in enumerate(tables):
        if aims[at] in aims[:at]:
            raise table.wrong("name", f"{aims[at].attack} is named twice.", "Name it once.")
    return tuple(replace(aim, share=rest) if aim.share is None else aim for aim in aims)


def foes_of(recipe: Recipe, open_target: OpenTarget | None) -> dict[str, Foe]:
    """Of each target that the recipe names, the detector; raises RecipeError, with its line, for one that is
    not there or cannot be attacked so."""
    found: dict[str, Foe] = {}
    for aim in recipe.aims:
        if not aim.asks:
            continue
        place = (*aim.place, "target")
        try:
            if open_target is None:
                raise UsageError("There is nothing here to open detectors with.", "Leave the attack out.")
            target = open_target(aim.target or None)
            ready(aim.attack, target)
        except TouchstoneError as error:
            raise recipe.document.wrong(place, error.message, error.advice) from None
        named = Path(aim.target).is_absolute()
        found[aim.target] = Foe(
            target.name, target.sha256, aim.target if named else target.name, target.tiles
        )
    return found


def opened(foes: Mapping[str, Mapping[str, Any]], raid: Raid, open_target: OpenTarget | None) -> Target:
    """The detector of a raid where the set found it; raises DataError where it is gone, or another one."""
    foe = foes.get(raid.target, {})
    advice = "Install it, or say with --target where its file lies now."
    try:
        if open_target is None:
            raise UsageError("There is nothing here to open detectors with.", advice)
        target = open_target(foe.get("place") or raid.target, foe.get("tiles"))
    except TouchstoneError as error:
        raise DataError(
            f"The detector {raid.target} that it attacked cannot be opened: {error.message}", advice
        ) from None
    if target.sha256 != raid.target_sha256:
        raise DataError(f"{raid.target} that it attacked is another detector now.", advice)
    return target


def _aim(table: Table, folder: Path, *, ladder: bool) -> Aim:
    name = table.text("name")
    if not name:
        raise table.wrong("name", "An attack has no name.", f"There are {', '.join(KINDS)}.")
    share = table.number("share", 1.0) if "share" in table else None
    if ladder and share is not None:
        raise table.wrong(
            "share", "share contradicts ladder = true.", "On a ladder every real goes through every attack."
        )
    on = table.text("on", "fakes", among=SIDES)
    target = table.text("target")
    said = _attack(table, name)
    if target.endswith((".toml", ".onnx")):
        file = (folder / Path(target).expanduser()).absolute()
        if not file.is_file():
            raise table.wrong("target", f"There is no {file}.", "Name a detector, or its .toml or .onnx.")
        target = str(file.with_suffix(".onnx") if file.suffix == ".toml" else file)
    return Aim(said, share, on, target, table.place)


def _attack(table: Table, name: str) -> Attack:
    """The attack of a table, its settings beside its name; each complaint names its own line."""
    settings = table.rest()
    kind = KINDS.get(name.partition(":")[0].strip())
    if kind is None:
        raise table.wrong("name", f"There is no attack {name!r}.", f"There are {nearest(name, KINDS)}.")
    try:
        said = parse(name)
    except UsageError as error:
        raise table.wrong("name", error.message, error.advice) from None
    for key, value in settings.items():
        if key not in kind.settings:
            there = nearest(key, ("name", "share", "on", "target", *kind.settings))
            raise table.wrong(key, f"{key!r} means nothing here.", f"There are {there}.")
        try:
            said = attack(said.name, {**said.settings, key: value})
        except (UsageError, TypeError) as error:
            what = error.message if isinstance(error, UsageError) else f"{key} is {value!r}."
            raise table.wrong(key, what, "Correct it.") from None
    return said
