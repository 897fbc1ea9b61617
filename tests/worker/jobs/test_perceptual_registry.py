"""The registry on both databases: what is told, to whom, and what is forgotten."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sqlalchemy import func, select

from provenance import registry_tables
from provenance.perceptual import Fingerprint, Mark, film, fingerprint
from provenance.registry import EVERYBODY, Entry, Registry
from provenance.seen import Seen
from tests.conftest import MakePhoto
from worker.jobs.engine import reading
from worker.jobs.model import NewJob
from worker.jobs.store import JobStore
from worker.remembering import open_registry

SHA, OTHER = "aa" * 32, "bb" * 32


@pytest.fixture
def registry(store: JobStore) -> Registry:
    return open_registry(store.engine)


@pytest.fixture
def job(store: JobStore) -> str:
    return store.submit(NewJob("scan", {}, ({},)))[0].id


def marks(seed: int) -> Fingerprint:
    return Fingerprint((Mark(np.random.default_rng(seed).bytes(32)),))


def count(store: JobStore) -> tuple[int, int]:
    with reading(store.engine) as connection:
        media, hashes = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (registry_tables.media, registry_tables.hashes)
        )
    return media, hashes


def names(seen: Seen) -> list[str]:
    return [one.name for one in seen.sightings]


def test_the_same_bytes_come_before_what_looks_alike(registry: Registry, make_photo: MakePhoto) -> None:
    photo = make_photo(240, 320, 1)
    registry.enter([Entry("local", "scanned", OTHER, name="alike", fingerprint=fingerprint(photo))])
    registry.enter(
        [Entry("local", "flagged", SHA, name="same", note="staged", fingerprint=fingerprint(photo))]
    )
    seen = registry.trace("local", SHA, fingerprint(photo))
    assert [(one.name, one.how, one.distance) for one in seen.sightings] == [
        ("same", "bytes", None), ("alike", "picture", 0)
    ]  # fmt: skip
    assert [one.false_match_rate for one in seen.sightings] == [0.0, 1e-6]


@pytest.mark.parametrize(
    ("change", "how", "turned"),
    [
        (lambda p: p[:, ::-1], "picture", "mirrored"),
        (lambda p: np.rot90(p, -1), "picture", "turned by 90 degrees"),
        (lambda p: np.rot90(p), "picture", "turned by 270 degrees"),
        (lambda p: p[10:226, 20:308], "part", ""),
    ],
)
def test_a_changed_picture_is_traced_to_its_original(
    registry: Registry, make_photo: MakePhoto, change: object, how: str, turned: str
) -> None:
    photo = make_photo(240, 320, 1)
    registry.enter([Entry("local", "scanned", SHA, name="whole", fingerprint=fingerprint(photo))])
    asked = np.ascontiguousarray(change(photo))  # type: ignore[operator]
    (one,) = registry.trace("local", OTHER, fingerprint(asked)).sightings
    assert (one.name, one.how, one.turned) == ("whole", how, turned)


def test_a_tenant_is_told_of_their_own_and_of_everybodys_and_of_nobody_elses(registry: Registry) -> None:
    for tenant in ("mine", "yours", EVERYBODY):
        registry.enter([Entry(tenant, "scanned", SHA, name=tenant, fingerprint=marks(1))])
    for sha256 in (SHA, OTHER):  # by bytes, and by looks
        assert sorted(names(registry.trace("mine", sha256, marks(1)))) == [EVERYBODY, "mine"]
    alone = registry.trace("nobody", OTHER, marks(1))
    assert (names(alone), alone.compared) == ([EVERYBODY], 1)


def test_what_others_have_does_not_crowd_out_ones_own(registry: Registry) -> None:
    registry.enter([Entry("yours", "imported", "", fingerprint=marks(1)) for _ in range(3_000)])
    registry.enter([Entry("mine", "scanned", OTHER, name="mine", fingerprint=marks(1))])
    assert names(registry.trace("mine", SHA, marks(1))) == ["mine"]


def test_what_comes_of_a_job_goes_with_it(store: JobStore, registry: Registry, job: str) -> None:
    registry.enter([Entry("local", "scanned", SHA, job=job, fingerprint=marks(1))])
    assert len(registry.trace("local", OTHER, marks(1)).sightings) == 1
    store.cancel(job)
    store.remove(job)
    assert count(store) == (0, 0)
    assert registry.trace("local", SHA, marks(1)).sightings == ()


def test_a_job_that_was_deleted_meanwhile_is_not_remembered(store: JobStore, registry: Registry) -> None:
    assert not registry.enter([Entry("local", "scanned", SHA, job="gone", fingerprint=marks(1))])
    assert count(store) == (0, 0)


def test_a_number_is_never_given_twice(registry: Registry) -> None:
    """The index would take the second for the first."""
    registry.enter([Entry("local", "flagged", SHA, fingerprint=marks(1))])
    registry.trace("local", OTHER, marks(1))
    registry.remove("local", SHA)
    registry.enter([Entry("local", "flagged", OTHER, name="new", fingerprint=marks(2))])
    assert names(registry.trace("local", SHA, marks(1))) == []
    assert names(registry.trace("local", SHA, marks(2))) == ["new"]


def test_an_attempt_again_replaces_what_the_first_entered(
    store: JobStore, registry: Registry, job: str
) -> None:
    for _ in range(2):
        registry.enter([Entry("local", "scanned", SHA, job=job, fingerprint=marks(1))])
    assert count(store) == (1, 1)
    assert registry.trace_all("local", [(SHA, marks(1))], but_job=job)[0].sightings == ()


def test_a_file_scanned_again_without_a_job_is_one_entry(store: JobStore, registry: Registry) -> None:
    for name in ("first", "second"):
        registry.enter([Entry("local", "scanned", SHA, name=name, fingerprint=marks(1))])
    assert count(store) == (1, 1)
    assert names(registry.trace("local", SHA, marks(1))) == ["second"]


def test_lists_are_counted_and_forgotten_by_their_name(registry: Registry) -> None:
    rows = [Entry("local", "imported", f"{n:064x}", source="may", fingerprint=marks(n)) for n in range(700)]
    registry.enter([*rows, Entry("local", "imported", "", source="june", fingerprint=marks(1))])
    assert registry.counts("local") == [("imported", "june", 1), ("imported", "may", 700)]
    assert registry.remove_list("local", "may") == 700
    assert registry.remove_list("other", "june") == 0
    assert [one.source for one in registry.trace("local", SHA, marks(1)).sightings] == ["june"]


def test_scans_without_a_job_are_forgotten_when_their_time_is_over(registry: Registry, job: str) -> None:
    registry.enter([Entry("local", "scanned", SHA), Entry("local", "flagged", SHA)])
    registry.enter([Entry("local", "scanned", OTHER, job=job)])
    assert registry.forget_scans("local", before=2**40) == 1
    assert registry.counts("local") == [("flagged", "", 1), ("scanned", "", 1)]


def test_a_video_is_traced_by_its_key_frames_in_order(registry: Registry, make_photo: MakePhoto) -> None:
    scenes = [make_photo(96, 128, seed) for seed in range(8)]
    frames = [scene for scene in scenes for _ in range(4)]
    registry.enter([Entry("local", "scanned", SHA, kind="video", name="film", fingerprint=film(frames, 2.0))])
    (cut,) = registry.trace("local", OTHER, film(frames[8:24], 2.0)).sightings
    assert (cut.how, cut.frames, cut.of, cut.offset_seconds) == ("frames", 4, 4, 4.0)
    (mirrored,) = registry.trace("local", OTHER, film([f[:, ::-1] for f in frames], 2.0)).sightings
    assert (mirrored.turned, mirrored.frames) == ("mirrored", 8)
    (still,) = registry.trace("local", OTHER, fingerprint(scenes[3])).sightings
    assert (still.how, still.frames, still.of, still.offset_seconds) == ("frames", 1, 1, 6.0)


def test_frames_in_another_order_are_not_the_same_video(registry: Registry, make_photo: MakePhoto) -> None:
    scenes = [make_photo(96, 128, seed) for seed in range(6)]
    registry.enter([Entry("local", "scanned", SHA, kind="video", fingerprint=film(scenes, 1.0))])
    assert registry.trace("local", OTHER, film(scenes[::-1], 1.0)).sightings == ()


def test_a_picture_with_nothing_in_it_is_looked_for_by_its_bytes(registry: Registry) -> None:
    registry.enter([Entry("local", "scanned", SHA)])
    seen = registry.trace("local", SHA, Fingerprint())
    assert not seen.known
    assert [one.how for one in seen.sightings] == ["bytes"]


def test_more_than_can_be_told_is_counted(registry: Registry) -> None:
    registry.enter(
        [Entry("local", "imported", f"{n:064x}", source=str(n), fingerprint=marks(1)) for n in range(30)]
    )
    seen = registry.trace("local", SHA, marks(1))
    assert (len(seen.sightings), seen.left_out) == (20, 10)


def test_many_that_enter_at_once_are_all_found_by_one_that_reads_on(
    store: JobStore, registry: Registry
) -> None:
    """Numbers are committed in their order, so an index that reads on from the last one misses none."""
    found = []

    def enter(first: int) -> None:
        own = open_registry(store.engine)
        for number in range(first, first + 20):
            own.enter([Entry("local", "imported", f"{number:064x}", fingerprint=marks(number))])

    threads = [threading.Thread(target=enter, args=(first,)) for first in (0, 20, 40)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        registry.trace("local", SHA, marks(0))
    for number in range(60):
        found += registry.trace("local", SHA, marks(number)).sightings
    assert sorted(int(one.sha256, 16) for one in found) == list(range(60))
