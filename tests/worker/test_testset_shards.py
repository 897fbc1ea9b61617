"""Jobs of kind "testset": cut into ranges, forged by whoever is there, and the same set in the end."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence.errors import StoreFull, UsageError
from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from tests.worker_service import Shop, StartWorker, wait_for
from testsets.build import examine, forge, put_in_place
from testsets.card import write_card, write_sheets
from testsets.document import RecipeError
from testsets.verify import rows_of
from testsets.writers import write_layouts
from worker.embedded import EmbeddedRunner
from worker.jobs.cutting import cut
from worker.jobs.leases import Leases
from worker.jobs.model import Held, JobState, Lane, ShardState
from worker.jobs.search import newest_progress
from worker.keeping import Keeper
from worker.perform import Outcome, perform_all
from worker.requests import SetRequest, set_job
from worker.settings import Settings
from worker.testset_recipes import SetTooLarge, opened_for, recipe_of
from worker.tools import Tools

RECIPE = """\
name = "small"
count = 40
repeats = 8
fakes = 2
[[sources]]
folder = "reals"
fit = 64
[[systems]]
name = ["reconstruction-transposed-k4s2-x2", "splice"]
[[chains]]
name = "as-is"
[[chains]]
steps = "jpeg:quality=60"
[output]
layouts = ["csv"]
"""
ASKED = SetRequest("small.toml", RECIPE)


@pytest.fixture
def studio(shop: Shop, make_photo: Callable[..., Pixels], tmp_path: Path) -> Shop:
    """A shop whose operator offers a folder of six photographs called `reals`."""
    folder = tmp_path / "reals"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(make_photo(96, 128, number), 90))
    shop.settings = shop.settings.model_copy(update={"testset_folders": str(folder)})
    return shop


@pytest.fixture
def runner(studio: Shop) -> Iterator[EmbeddedRunner]:
    made = EmbeddedRunner(studio.settings, workers=4)
    made.start()
    yield made
    made.stop()


def calm(settings: Settings, request: SetRequest, folder: Path) -> Path:
    """The set as `touchstone testset build` makes it, in one process."""
    opened = opened_for(request, settings)
    part = forge(opened.plan, opened.bench, folder, workers=1, on_row=_ignore, on_failed=_ignore)
    rows = rows_of(part)
    examine(part)
    write_sheets(part, rows)
    write_card(part, rows, forced=request.force)
    write_layouts(part, rows, opened.plan.recipe.layouts)
    put_in_place(part, folder)
    return folder


def _ignore(*_: object) -> None:
    """Nothing is to be said."""


def files(folder: Path) -> dict[str, tuple[bytes, float]]:
    """Every file of a set, and the dates of its pictures."""
    return {
        path.relative_to(folder).as_posix(): (
            path.read_bytes(),
            path.stat().st_mtime if path.suffix in (".png", ".jpg") and "sheets" not in path.parts else 0.0,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def submit(shop: Shop, request: SetRequest = ASKED) -> str:
    # The lane whose workers do not give way: a busy machine would make these tests wait.
    return shop.store.submit(set_job(request, lane=Lane.LIVE))[0].id


def set_of(shop: Shop, job: str) -> Path:
    return shop.media.artefact(job, "set")


def hand_in(shop: Shop, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        assert outcome.result is not None, outcome.cause
        assert Leases(shop.store).complete(outcome.lease, outcome.result)


def test_workers_beside_each_other_make_the_set_that_one_process_makes(
    studio: Shop, runner: EmbeddedRunner
) -> None:
    job = submit(studio)

    assert studio.ended(job).state is JobState.DONE, studio.store.shards(job)
    found = studio.result(job)
    assert (found["reals"], found["forgeries"], found["left_out_count"]) == (40, 80, 0)
    assert found["sheets"] == ["reconstruction-transposed-k4s2-x2.png", "splice.png"]
    assert files(set_of(studio, job)) == files(calm(studio.settings, ASKED, studio.folder / "calm"))
    assert [path.name for path in set_of(studio, job).parent.iterdir()] == ["set"]
    assert studio.store.events(job)[-1].kind == "done"
    assert newest_progress(studio.store.engine, [job])[job] == {"done": 120, "of": 120}


def test_a_worker_that_is_killed_in_the_middle_leaves_the_same_set(
    studio: Shop, runner: EmbeddedRunner
) -> None:
    job, killed = submit(studio), 0
    wait_for(lambda: job in newest_progress(studio.store.engine, [job]))
    for process in runner.processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            killed += 1

    assert killed
    assert studio.ended(job).state is JobState.DONE, studio.store.shards(job)
    assert files(set_of(studio, job)) == files(calm(studio.settings, ASKED, studio.folder / "calm"))


def test_celery_builds_the_same_set(studio: Shop, start_worker: StartWorker) -> None:
    job = submit(studio)
    start_worker("celery", TOUCHSTONE_TESTSET_FOLDERS=studio.settings.testset_folders)

    assert studio.ended(job).state is JobState.DONE
    assert files(set_of(studio, job)) == files(calm(studio.settings, ASKED, studio.folder / "calm"))


def test_a_range_that_was_forged_twice_is_counted_once(studio: Shop) -> None:
    job = submit(studio)
    begin(studio)
    first, *others = Leases(studio.store).claim("one", ["part"], count=1)
    assert not others  # ranges are claimed one at a time: the next are for other workers
    (unheard,) = studio.perform([first])  # its worker is thought dead, and somebody else does it again
    Leases(studio.store).late(Held(first.shard, first.token, first.job, first.attempt, first.until))

    assert unheard.result is not None
    assert not Leases(studio.store).complete(first, unheard.result)
    studio.store.clock = lambda: time.time() + 5
    whole(studio, job)

    assert files(set_of(studio, job)) == files(calm(studio.settings, ASKED, studio.folder / "calm"))


def test_a_real_that_cannot_be_used_is_left_out_and_named(studio: Shop) -> None:
    (studio.folder / "reals" / "3.jpg").write_bytes(b"\xff\xd8\xff no picture")
    job = submit(studio)
    whole(studio, job)

    found = studio.result(job)
    assert 0 < found["left_out_count"] < 40
    assert found["reals"] == 40 - found["left_out_count"]
    assert "reals/3.jpg" in {one["name"] for one in found["left_out"]}  # others would be spliced from it
    assert files(set_of(studio, job)) == files(calm(studio.settings, ASKED, studio.folder / "calm"))


def test_a_full_disk_costs_no_attempt_and_leaves_nothing_half(
    studio: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(studio)
    begin(studio)

    def full(*_: object, **__: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    (lease,) = Leases(studio.store).claim("one", ["part"], count=1)
    with monkeypatch.context() as patched:
        patched.setattr("testsets.build.write_whole", full)
        with pytest.raises(StoreFull, match="the work goes on by itself"):
            studio.perform([lease])
    parts = studio.media.artefact(lease.job, "parts")

    assert not parts.exists() or not list(parts.iterdir())
    Leases(studio.store).release([lease])
    whole(studio, lease.job)
    assert studio.store.get(lease.job).state is JobState.DONE


def test_a_range_that_nobody_can_forge_ends_the_set_with_its_cause(studio: Shop) -> None:
    job = submit(studio)
    begin(studio)
    (lease,) = Leases(studio.store).claim("one", ["part"], count=1)
    Leases(studio.store).fail(lease, {"code": "worker_died", "message": "By signal SIGKILL."}, final=True)
    while left := Leases(studio.store).claim("one", ["part"], count=1):
        hand_in(studio, studio.perform(left))
    (outcome,) = studio.perform()

    assert outcome.final
    assert outcome.cause == {"code": "worker_died", "message": "By signal SIGKILL."}
    assert not set_of(studio, job).exists()


def test_a_cancelled_set_is_not_forged_on(studio: Shop) -> None:
    job = submit(studio)
    begin(studio)
    (lease,) = Leases(studio.store).claim("one", ["part"], count=1)
    studio.store.cancel(job)
    with Keeper(Leases(studio.store), 0.2) as keeper:
        keeper.hold([lease])
        wait_for(lambda: not keeper.wanted(lease))
        tools = Tools(studio.settings, studio.media, keeper, _ignore)
        assert list(perform_all([lease], tools)) == []

    assert not list(studio.media.artefact(job, "parts").iterdir())


def test_reals_that_change_meanwhile_are_noticed(studio: Shop) -> None:
    submit(studio)
    begin(studio)
    (studio.folder / "reals" / "0.jpg").unlink()
    (lease,) = Leases(studio.store).claim("one", ["part"], count=1)
    (outcome,) = studio.perform([lease])

    assert outcome.cause is not None
    assert "others than when the set was begun" in outcome.cause["message"]


def test_a_set_that_takes_more_room_than_allowed_is_given_up(studio: Shop) -> None:
    studio.settings = studio.settings.model_copy(update={"testset_bytes": 1_000})
    submit(studio)
    begin(studio)
    (lease,) = Leases(studio.store).claim("one", ["part"], count=1)
    (outcome,) = studio.perform([lease])

    assert outcome.final
    assert outcome.cause is not None
    assert outcome.cause["code"] == "set_too_large"


def test_a_recipe_of_more_pictures_than_allowed_is_refused_with_its_line(studio: Shop) -> None:
    huge = SetRequest("huge.toml", RECIPE.replace("count = 40", "count = 1000000000"))
    with pytest.raises(SetTooLarge, match=r"huge\.toml, line 2: It comes to 3000000000 pictures; 20000 are"):
        opened_for(huge, studio.settings)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ('folder = "/etc"', 6),
        ('folder = "reals/../../etc"', 6),
        ('folder = "~"', 6),
        ('folder = "nul\\u0000"', 6),
        ('collection = "reals/../.."', 6),
        ('name = "nowhere"', 5),
    ],
)
def test_who_asks_over_the_api_names_no_folder_but_those_that_are_offered(
    studio: Shop, found: str, line: int
) -> None:
    text = RECIPE.replace('folder = "reals"', found)
    with pytest.raises(RecipeError, match=rf"^x\.toml, line {line}: "):
        recipe_of(SetRequest("x.toml", text), studio.settings)
    with pytest.raises(UsageError, match="no folder that test sets may be made of here"):
        recipe_of(SetRequest("x.toml", RECIPE, source="/etc"), studio.settings)


@pytest.mark.parametrize("target", ["/etc/passwd.onnx", "../x.toml", "there/is", "none-such"])
def test_who_asks_over_the_api_attacks_installed_detectors_alone(studio: Shop, target: str) -> None:
    text = f'{RECIPE}[[attacks]]\nname = "square"\ntarget = "{target}"\n'
    with pytest.raises(RecipeError, match=r"^x\.toml, line 18: "):
        opened_for(SetRequest("x.toml", text), studio.settings)


def begin(shop: Shop) -> None:
    """Plan the set that waits, and cut it."""
    (lease,) = Leases(shop.store).claim("planner", ["testset"])
    (outcome,) = shop.perform([lease])
    assert outcome.result is not None, outcome.cause
    assert len(outcome.parts) == 3  # forty reals, sixteen at once
    assert cut(shop.store, lease, outcome.result, outcome.parts)


def whole(shop: Shop, job: str) -> None:
    """Do all that is left of a job, one shard after the other."""
    if shop.store.shards(job)[0].state is ShardState.READY:
        begin(shop)
    while not shop.store.get(job).state.ended:
        found = Leases(shop.store).claim("one", ["testset", "part"], count=1)
        hand_in(shop, shop.perform(found))
