"""Who forges for a test set: installed generators, by name or a word for several, and what needs none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evidence.errors import ModelNotFound, UsageError
from exports.registry import ModelEntry, Registry
from exports.slots import slot_of, slots_in
from testsets.document import nearest
from testsets.recipe import Recipe, System

SPLICE, SELF_BLENDED = "splice", "self-blended"
WITHOUT_MODEL = (SPLICE, SELF_BLENDED)
WORDS = ("all", "twins")  # every generator of colour pictures; those that make a twin of any picture


@dataclass(frozen=True)
class Maker:
    """A forger with what a recipe wants of it; `entry` is None for one without a model."""

    system: System
    entry: ModelEntry | None = None

    @property
    def label(self) -> str:
        """What a manifest calls it."""
        return self.system.name if self.entry is None else self.entry.label

    @property
    def draws(self) -> int:
        """The side of what it draws from nothing, 0 for one that takes a picture."""
        if self.entry is None or slot_of(slots_in(self.entry), "image") is not None:
            return 0
        return side_of(self.entry) or 0

    @property
    def whole(self) -> bool:
        """Whether it makes a picture anew from one, so that it can be held to a region."""
        return self.entry is not None and self.entry.task in ("reconstruction", "translation")

    @property
    def films(self) -> bool:
        """Whether it changes a picture and nothing else is needed, so that frame after frame can be."""
        return self.entry is not None and not self.draws

    def beside(self, other: Maker) -> bool:
        """Whether both can forge one real: of what is drawn from nothing, what is as large."""
        return not self.draws or not other.draws or self.draws == other.draws


def makers_of(recipe: Recipe, models: Registry) -> list[Maker]:
    """Every forger that a recipe names; raises RecipeError for one there is not, or an unfit wish."""
    makers: dict[str, Maker] = {}
    for system in recipe.systems:
        for maker in _named(recipe, system, models):
            if maker.label in makers:
                raise recipe.document.wrong(
                    (*system.place, "name"), f"{maker.label} is named twice.", "Name it once."
                )
            if recipe.clips and not maker.films:
                raise recipe.document.wrong(
                    (*system.place, "name"),
                    f"{maker.label} forges no clips.",
                    "Name generators that change a picture, frame by frame.",
                )
            makers[maker.label] = maker
    return list(makers.values())


def generators_in(models: Registry) -> list[ModelEntry]:
    """The newest version of each installed generator of colour pictures."""
    newest = {entry.name: entry for entry in models.of_kind("generator")}
    return [entry for entry in newest.values() if side_of(entry) is not None]


def side_of(entry: ModelEntry) -> int | None:
    """The side of what a generator makes, 0 where it is free, None where it makes no colour picture."""
    shape = next(iter(entry.outputs))["shape"] if entry.outputs else ["batch", 3, "height", "width"]
    if len(shape) != 4 or shape[1] != 3:
        return None
    return shape[2] if isinstance(shape[2], int) else 0


def _named(recipe: Recipe, system: System, models: Registry) -> Sequence[Maker]:
    if system.name in WITHOUT_MODEL:
        if system.wish.conditions:
            raise recipe.document.wrong(
                system.place, f"{system.name} takes no conditions.", "Leave them out."
            )
        return [Maker(system)]
    if system.name in WORDS:
        entries = [entry for entry in generators_in(models) if system.name == "all" or _makes_twins(entry)]
    else:
        entries = [_entry(recipe, system, models)]
    for entry in entries:
        try:
            system.wish.require(slots_in(entry))
        except UsageError as error:
            raise recipe.document.wrong(
                (*system.place, next(iter(system.wish.conditions))),
                f"{entry.label}: {error.message}",
                error.advice,
            ) from None
    return [Maker(replace(system, name=entry.label), entry) for entry in entries]


def _entry(recipe: Recipe, system: System, models: Registry) -> ModelEntry:
    place = (*system.place, "name")
    try:
        entry = models.get(system.name)
    except ModelNotFound:
        names = [one.name for one in models.of_kind("generator")]
        raise recipe.document.wrong(
            place,
            f"There is no generator {system.name!r}.",
            f"There are {nearest(system.name, [*names, *WITHOUT_MODEL, *WORDS])}.",
        ) from None
    if entry.kind != "generator" or side_of(entry) is None:
        what = "makes no colour pictures" if entry.kind == "generator" else f"is a {entry.kind}"
        raise recipe.document.wrong(
            place, f"{entry.label} {what}.", "`touchstone models` lists the generators."
        )
    return entry


def _makes_twins(entry: ModelEntry) -> bool:
    """Whether it takes a picture of any size and content."""
    image = slot_of(slots_in(entry), "image")
    return image is not None and image.free and entry.task in ("reconstruction", "inpainting", "outpainting")
