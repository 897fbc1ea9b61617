"""The recipe of a test set that the queue builds: what it may name, what it comes to, its bench.

Who asks over the API names shared sets and the folders of TOUCHSTONE_TESTSET_FOLDERS, and never a path.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from evidence.errors import DataError, UsageError
from generators.data import shards
from testsets.aims import OpenTarget
from testsets.bench import Bench
from testsets.build import Plan, planned
from testsets.document import Document, RecipeError, nearest
from testsets.recipe import Recipe, Source, parse
from testsets.sources import Shelf
from testsets.suite import makers_of
from testsets.target import Target
from testsets.writers import WRITERS
from worker.marking import Marking
from worker.requests import SetRequest
from worker.scanner import installed_models
from worker.settings import Settings
from worker.targets import open_steady

MOST_SIDE = 2048  # pixels to which a recipe of the API may bring its reals


class SetTooLarge(RecipeError):
    """Raised when a test set has more pictures, or takes more room, than the settings allow."""

    code = "set_too_large"


@dataclass(frozen=True)
class Opened:
    """A recipe's plan, and the bench at which it is carried out."""

    plan: Plan
    bench: Bench

    @property
    def pictures(self) -> int:
        """How many it will hold, reals and forgeries."""
        return len(self.plan.orders) + self.plan.forgeries

    @property
    def digest(self) -> str:
        """The sha256 of all that decides the set: the same for every worker that sees the same reals."""
        return hashlib.sha256(repr((self.plan.about(), self.plan.orders)).encode()).hexdigest()


def opened(recipe: Recipe, settings: Settings, open_target: OpenTarget | None = None) -> Opened:
    """What a recipe comes to here; `open_target` opens what it attacks. Raises RecipeError, DataError."""
    models, shelf = installed_models(settings), Shelf(recipe.sources)
    open_target = open_target or partial(open_steady, settings)
    made = planned(recipe, models, open_target, shelf)
    bench = Bench(
        shelf,
        models,
        settings.faces,
        recipe.marks,
        None if recipe.marks == "none" else partial(Marking, settings, unmarked=False),
        settings.limits,
        open_target,
        made.targets,
    )
    return Opened(made, bench)


def opened_for(request: SetRequest, settings: Settings) -> Opened:
    """The same for what was asked of the queue; raises SetTooLarge too."""
    recipe = recipe_of(request, settings)
    if request.folder:
        return opened(recipe, settings)
    try:
        _require_few(recipe, settings)
        return opened(recipe, settings, partial(_open_installed, settings))
    except DataError as error:
        raise UsageError(without_paths(error.message, settings), error.advice) from None


def without_paths(text: str, settings: Settings) -> str:
    """What is said of a file in an offered folder, by the folder's name alone."""
    for name, root in settings.testset_roots.items():
        text = text.replace(str(root), name)
    return text


def recipe_of(request: SetRequest, settings: Settings) -> Recipe:
    """The recipe of a request with its reals in their places; raises RecipeError, UsageError."""
    document, own = Document(request.name, request.text), bool(request.folder)
    if not own:
        _refuse_files(document)
    for layout in request.layouts:
        if layout not in WRITERS:
            raise UsageError(f"There is no layout {layout!r}.", f"There are {nearest(layout, WRITERS)}.")
    recipe = parse(document, Path(request.folder)).of(count=request.count, seed=request.seed)
    if request.source:
        path = Path(request.source) if own else _offered(request.source, settings)
        return recipe.of(source=path)
    if own:
        return recipe
    return replace(recipe, sources=tuple(_placed(recipe, source, settings) for source in recipe.sources))


def _placed(recipe: Recipe, source: Source, settings: Settings) -> Source:
    """A source of somebody who may name no path, where it lies here."""
    if source.fit and source.fit > MOST_SIDE:
        raise recipe.document.wrong(
            (*source.place, "fit"), f"fit is {source.fit}.", f"It is {MOST_SIDE} at most here."
        )
    if source.shards:
        if not shards.there(source.shards):
            raise recipe.document.wrong(
                (*source.place, "shards"),
                f"This server does not have the shared set {source.shards!r}.",
                "Name a `source` that it has.",
            )
        return source
    try:
        if source.folder:
            return replace(source, folder=str(_offered(source.folder, settings)))
        if source.collection:
            return replace(source, collection=str(_offered(source.collection, settings)))
    except UsageError as error:
        kind = "folder" if source.folder else "collection"
        raise recipe.document.wrong((*source.place, kind), error.message, error.advice) from None
    raise recipe.document.wrong(
        source.place, f"It does not say where the reals of {source.name} lie.", "Name a `source`."
    )


def _offered(said: str, settings: Settings) -> Path:
    """What lies in a folder that the operator offers, by the folder's name and the way below it."""
    roots = settings.testset_roots
    name, _, below = said.partition("/")
    root = roots.get(name)
    try:
        found = None if root is None else (root / below).resolve()
    except (OSError, ValueError, RuntimeError):
        found = None
    if root is None or found is None or not found.is_relative_to(root):
        there = ", ".join(roots)
        raise UsageError(
            f"{said!r} is no folder that test sets may be made of here.",
            f"There are {there}." if there else "The operator names some in TOUCHSTONE_TESTSET_FOLDERS.",
        )
    return found


def _open_installed(settings: Settings, place: str | None, tiles: int | None = None) -> Target:
    """An installed detector by its name, the default one without; raises UsageError for any other."""
    there = [
        name for entry in installed_models(settings).of_kind("detector") for name in (entry.name, entry.label)
    ]
    if place and place not in there:
        raise UsageError(f"There is no detector {place!r}.", "GET /v1/models lists them.")
    return open_steady(settings, place, tiles)


def _refuse_files(document: Document) -> None:
    """Raise RecipeError for a detector named by its file, before anybody looks whether that is there."""
    for table in document.top().tables("attacks"):
        target = table.text("target")
        if target.endswith((".toml", ".onnx")) or "/" in target or "\\" in target:
            raise table.wrong("target", f"target is {target!r}.", "Name an installed detector, not a file.")


def _require_few(recipe: Recipe, settings: Settings) -> None:
    """Raise SetTooLarge before orders are made of it: a number in a recipe costs nothing to write."""
    most, makers = settings.testset_pictures, makers_of(recipe, installed_models(settings))
    reals = recipe.count
    if reals is None:
        reals = sum(len(found) for found in Shelf(recipe.sources).originals.values()) * recipe.repeats
    rungs = len(recipe.chains) + len(recipe.aims) if recipe.ladder else 1
    pictures = reals * rungs * (1 + min(recipe.fakes, len(makers)))
    if pictures > most:
        wrong = recipe.document.wrong(
            ("count",), f"It comes to {pictures} pictures; {most} are allowed.", "Ask for fewer with `count`."
        )
        raise SetTooLarge(wrong.message, wrong.advice)
