"""What the API takes and gives of test sets, field by field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from touchstone.api.schemas import ClientRef, Line, Priority, Progress, Said, State, Taken

MOST_RECIPE = 64 * 1024  # letters
_Name = Annotated[Line, Field(max_length=256)]
Layout = Literal["forensynths", "genimage", "deepfakebench", "webdataset", "imagefolder", "parquet", "csv"]


class SetWish(Taken):
    """A test set to be built: a ready `recipe` by its name, or the `text` of one of your own in TOML.

    `source` takes the reals from a folder that this server offers, instead of the recipe's; folders within a
    `text` are such names too. `force` takes a set in which a short cut tells real from fake.
    """

    recipe: Annotated[Line, Field(max_length=64)] = ""
    text: Annotated[str, Field(max_length=MOST_RECIPE)] = ""
    source: _Name = ""
    count: int | None = Field(None, ge=1, lt=2**31)
    seed: int | None = Field(None, ge=0, lt=2**63)
    layouts: list[Layout] = Field([], max_length=7)
    force: bool = False
    priority: Priority = "batch"
    client_ref: ClientRef = ""
    retention_seconds: float | None = Field(None, ge=0, le=10 * 365 * 86_400, allow_inf_nan=False)
    webhook: Annotated[Line, Field(max_length=64, description="Its id; it is told of the end.")] = ""

    @model_validator(mode="after")
    def _one_recipe(self) -> Self:
        if bool(self.recipe) == bool(self.text):
            raise ValueError("name either a recipe or give a text")
        return self


class RecipeSource(BaseModel):
    """Where a recipe takes reals from; `there` is whether this server has them."""

    name: str
    there: bool


class ReadyRecipe(BaseModel):
    """A ready recipe: what it is about, who forges, what is done to the pictures, and its whole text."""

    name: str
    about: str
    systems: list[str]
    chains: list[str]
    attacks: list[str]
    sources: list[RecipeSource]
    count: int | None
    fakes: int
    seed: int
    text: str


class ReadyRecipes(BaseModel):
    """The ready recipes, and the folders of reals that this server offers instead of theirs."""

    items: list[ReadyRecipe]
    sources: list[str]


class Share(BaseModel):
    """How many pictures of a set are of one kind."""

    name: str
    pictures: int


class SetPlan(BaseModel):
    """What a recipe comes to: nothing is made of it. `systems` are of forgeries, the others of all."""

    name: str
    about: str
    seed: int
    reals: int
    forgeries: int
    systems: list[Share]
    chains: list[Share]
    splits: list[Share]


class SetLint(BaseModel):
    """Whether a short cut tells real from fake: what the linter says, the worst AUC, what leaks."""

    verdict: Literal["passed", "failed", "too few to tell"]
    worst_auc: float | None
    leaks: list[str]


class Sheet(BaseModel):
    """A contact sheet: reals above, what a system made of them below."""

    name: str
    url: str


class LeftOut(BaseModel):
    """A real that could not be used."""

    name: str
    why: str


class Testset(BaseModel):
    """A test set as it stands. What it holds is there once it is done.

    `stage` is planning, forging, then checking. `links` are null where there is nothing to fetch; so is
    `tar` of a set that leaks and was not forced.
    """

    id: str
    state: State
    stage: Literal["planning", "forging", "checking"] | None
    created: datetime
    finished: datetime | None
    name: str
    source: str
    count: int | None
    seed: int | None
    force: bool
    client_ref: str
    priority: Priority
    progress: Progress | None
    reals: int | None
    forgeries: int | None
    size_bytes: int | None
    lint: SetLint | None
    sheets: list[Sheet]
    left_out: list[LeftOut]
    left_out_count: int
    error: Said | None
    links: dict[str, str | None]


class Testsets(BaseModel):
    """A page of test sets, newest first."""

    items: list[Testset]
    next: str | None
