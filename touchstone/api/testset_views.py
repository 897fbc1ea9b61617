"""Test sets in the words of the API: ready recipes, and a set as it stands."""

from __future__ import annotations

from typing import Any, Literal

from generators.data import shards
from testsets.recipe import Recipe, read, ready
from touchstone.api.schemas import Progress, moment
from touchstone.api.service import Desk
from touchstone.api.testset_schemas import (
    LeftOut,
    ReadyRecipe,
    ReadyRecipes,
    RecipeSource,
    SetLint,
    Sheet,
    Testset,
)
from touchstone.api.views import PRIORITIES, failure
from worker.jobs.model import Job, JobState, Shard, ShardState
from worker.jobs.search import newest_progress


def recipes(desk: Desk) -> ReadyRecipes:
    """The ready recipes, and what reals there are for them."""
    found = [_recipe(name, read(path)) for name, path in ready().items()]
    return ReadyRecipes(items=found, sources=list(desk.service.settings.testset_roots))


def testset(desk: Desk, job: Job) -> Testset:
    """A set as it stands."""
    return seen(desk, job, desk.first_shard(job))


def seen(desk: Desk, job: Job, shard: Shard | None) -> Testset:
    """A set as it stands, whose first shard is known."""
    own, request = f"/v1/testsets/{job.id}", job.request
    result: dict[str, Any] = dict((shard.result if shard is not None else None) or {})
    running = job.state is JobState.RUNNING
    known = newest_progress(desk.store.engine, [job.id]).get(job.id) if running else None
    taken = bool(result) and (request["force"] or not leaks_of(shard))
    state: Literal["queued", "running", "done", "failed", "cancelled"] = job.state.value
    return Testset(
        id=job.id,
        state=state,
        stage=_stage(shard, known) if running else None,
        created=moment(job.created),
        finished=None if job.finished is None else moment(job.finished),
        name=str(request["name"]).removesuffix(".toml"),
        source=request["source"],
        count=request["count"],
        seed=request["seed"],
        force=request["force"],
        client_ref=job.client_ref,
        priority=PRIORITIES[job.lane],
        progress=Progress(done=known["done"], of=known["of"]) if known else None,
        reals=result.get("reals"),
        forgeries=result.get("forgeries"),
        size_bytes=result.get("size_bytes"),
        lint=SetLint(**result["lint"]) if result else None,
        sheets=[Sheet(name=name, url=f"{own}/sheets/{name}") for name in result.get("sheets", ())],
        left_out=[LeftOut(**one) for one in result.get("left_out", ())],
        left_out_count=result.get("left_out_count", 0),
        error=failure(shard),
        links={
            "self": own,
            "events": f"{own}/events",
            "cancel": None if job.state.ended else f"{own}/cancel",
            "card": f"{own}/card.md" if result else None,
            "lint": f"{own}/lint.html" if result and result["lint"]["worst_auc"] is not None else None,
            "tar": f"{own}/testset.tar" if taken else None,
        },
    )


def leaks_of(shard: Shard | None) -> list[str]:
    """The short cuts of a set that is built and whose linter failed it."""
    said = ((shard.result if shard is not None else None) or {}).get("lint", {})
    return (said["leaks"] or ["the same picture in two places"]) if said.get("verdict") == "failed" else []


def _stage(shard: Shard | None, known: dict[str, Any] | None) -> Literal["planning", "forging", "checking"]:
    if shard is not None and shard.state is ShardState.WAITING:
        return "forging"
    return "checking" if known else "planning"


def _recipe(name: str, recipe: Recipe) -> ReadyRecipe:
    return ReadyRecipe(
        name=name,
        about=recipe.about,
        systems=[system.name for system in recipe.systems],
        chains=[chain.name for chain in recipe.chains],
        attacks=[str(aim.attack) for aim in recipe.aims],
        sources=[
            RecipeSource(name=source.shards or source.name, there=shards.there(source.shards))
            for source in recipe.sources
        ],
        count=recipe.count,
        fakes=recipe.fakes,
        seed=recipe.seed,
        text=recipe.document.text,
    )
