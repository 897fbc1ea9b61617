"""A long video in parts gives the report of the video in one piece, whatever happens to a part."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence.medium import MediaInfo
from evidence.video import write_video
from tests.tiny_detector import picture
from tests.worker_service import Shop, wait_for
from worker.embedded import EmbeddedRunner
from worker.jobs.cutting import PART
from worker.jobs.cutting import parts_of as shards_of
from worker.jobs.leases import Leases
from worker.jobs.model import JobState, Lane, ShardState
from worker.jobs.schema import shards
from worker.jobs.search import newest_progress
from worker.parts import parts_of
from worker.requests import BatchItem, BatchRequest, open_batch
from worker.scanner import Scanner
from worker.settings import load_settings
from worker.workman import Workman

OFTEN = {"every_seconds": 0.1}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Thirty seconds that read as fake from the tenth to the twentieth, with many key frames."""
    leans = [-6.0] * 100 + [6.0] * 100 + [-6.0] * 100
    pictures = [picture(64, 96, lean=lean, seed=seed) for seed, lean in enumerate(leans)]
    write_video(tmp_path / "film.mp4", pictures, 10.0, "mpeg4")
    return tmp_path / "film.mp4"


@pytest.fixture
def cutting(shop: Shop) -> Shop:
    """The same shop, where fifty tiles are worth a shard of their own."""
    shop.settings = shop.settings.model_copy(update={"part_tiles": 50})
    return shop


@pytest.fixture
def worker(cutting: Shop) -> Iterator[Workman]:
    with Workman(cutting.store, cutting.media, cutting.settings, owner="test") as workman:
        yield workman


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    plain = json.loads(json.dumps(report))
    plain["models"] = [{**model, "ms": 0} for model in plain["models"]]
    return plain | {"id": "", "timings": {}}


def in_one_piece(shop: Shop, path: Path, **options: Any) -> dict[str, Any]:
    settings = shop.settings.model_copy(update=options)
    with Scanner(settings) as scanner:
        (scanned,) = scanner.scan_all([str(path)])
    return comparable(scanned.named(path.name).report.to_dict())


def test_parts_together_give_the_report_of_the_video_in_one_piece(
    cutting: Shop, worker: Workman, film: Path
) -> None:
    job = cutting.scan(film, options=OFTEN)

    rounds = [worker.work() for _ in range(9)]

    (whole,) = cutting.store.shards(job)
    parts = shards_of(cutting.store, _number(cutting, job))
    assert len(parts) >= 3
    assert rounds == [1] * (len(parts) + 2) + [0] * (7 - len(parts))
    assert {part.state for part in parts} == {ShardState.DONE}
    assert whole.result is not None
    assert comparable(whole.result["report"]) == in_one_piece(cutting, film, **OFTEN)
    assert cutting.media.artefact(job, "preview.jpg").is_file()
    assert cutting.store.get(job).state is JobState.DONE
    assert (cutting.store.get(job).total, cutting.store.get(job).remaining) == (1, 0)


def test_the_camera_clip_in_parts_is_that_in_one_piece(
    cutting: Shop, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the shipped detector and every kind of finding: segments, faces where there is a finder, heat.
    path = shared_data / "videos" / "car-detection.mp4"
    cutting.settings = load_settings(
        data_dir=cutting.settings.data_dir, decoders=1, threads=1, part_tiles=120
    )
    job = cutting.scan(path)

    with Workman(cutting.store, cutting.media, cutting.settings) as workman:
        while workman.work():
            pass

    assert len(shards_of(cutting.store, _number(cutting, job))) >= 3
    assert comparable(cutting.result(job)["report"]) == in_one_piece(cutting, path)


def test_a_damaged_film_is_told_alike_in_parts_and_in_one_piece(
    cutting: Shop, worker: Workman, film: Path
) -> None:
    data = bytearray(film.read_bytes())
    for place in range(len(data) // 3, len(data) // 2, 500):
        data[place] ^= 0xFF
    film.write_bytes(data)
    job = cutting.scan(film, options=OFTEN)

    while worker.work():
        pass

    assert comparable(cutting.result(job)["report"]) == in_one_piece(cutting, film, **OFTEN)


def test_frames_are_counted_over_all_parts(cutting: Shop, worker: Workman, film: Path) -> None:
    job = cutting.scan(film, options=OFTEN)
    seen = []

    while worker.work():
        seen.append(newest_progress(cutting.store.engine, [job]).get(job, {"done": 0, "of": 0}))

    dones = [one["done"] for one in seen]
    assert dones == sorted(dones)
    assert seen[-1] == {"done": 300, "of": 300}
    assert len(set(dones)) >= 4, "the parts were not told of one after the other"


def test_a_part_that_was_lost_costs_that_part_alone(cutting: Shop, worker: Workman, film: Path) -> None:
    job = cutting.scan(film, options=OFTEN)
    worker.work()
    dead = Leases(cutting.store).claim("dead", [PART], count=9)

    while worker.work():
        pass
    Leases(cutting.store).lost("dead", {"code": "worker_died", "message": "It is gone."})
    cutting.store.clock = lambda: time.time() + 60  # behind every pause
    while worker.work():
        pass

    assert len(dead) == 1, "parts are for several workers"
    attempts = [part.attempts for part in shards_of(cutting.store, _number(cutting, job))]
    assert sorted(attempts) == [1] * (len(attempts) - 1) + [2]
    assert comparable(cutting.result(job)["report"]) == in_one_piece(cutting, film, **OFTEN)


def test_a_part_that_cannot_be_done_makes_the_whole_unable_and_says_why(
    cutting: Shop, worker: Workman, film: Path
) -> None:
    job = cutting.scan(film, options=OFTEN)
    worker.work()
    leases = Leases(cutting.store)
    (part,) = leases.claim("test", [PART])
    leases.fail(part, {"code": "worker_died", "message": "It ended by signal SIGKILL."}, final=True)

    while worker.work():
        pass

    report = cutting.result(job)["report"]
    assert (report["status"], report["reason"]["code"]) == ("unable", "part_lost")
    assert "SIGKILL" in report["reason"]["message"]
    assert report["media"]["sha256"] == cutting.store.get(job).request["sha256"]


def test_a_cancelled_film_leaves_no_part_to_be_done(cutting: Shop, worker: Workman, film: Path) -> None:
    job = cutting.scan(film, options=OFTEN)
    worker.work()

    cutting.store.cancel(job)

    assert worker.work() == 0
    assert cutting.waiting() == 0
    states = {part.state for part in shards_of(cutting.store, _number(cutting, job))}
    assert states == {ShardState.CANCELLED}


def test_a_film_in_a_batch_is_cut_and_its_neighbours_are_not_done_twice(
    cutting: Shop, worker: Workman, film: Path
) -> None:
    red, blue = cutting.picture(6, name="red.png"), cutting.picture(-6, name="blue.png")
    items = [BatchItem(path.name, path=str(path)) for path in (red, film, blue)]
    batch, _ = open_batch(cutting.store, BatchRequest(items))

    worker.work()
    photo = cutting.scan(red, lane=Lane.BATCH)  # comes later, and waits for no film
    worker.work()

    assert cutting.store.get(photo).state is JobState.DONE
    while worker.work():
        pass
    rows = cutting.result(batch.id)["rows"]
    assert [row["media"]["path"] for row in rows] == ["red.png", "film.mp4", "blue.png"]
    assert [row["verdict"] for row in rows][::2] == ["fake", "real"]
    assert comparable(rows[1]) == in_one_piece(cutting, film)
    assert cutting.store.get(batch.id).state is JobState.DONE


def test_kill_9_in_the_middle_of_a_film_costs_one_part(cutting: Shop, film: Path) -> None:
    runner = EmbeddedRunner(cutting.settings, workers=1)
    job = cutting.scan(film, options=OFTEN)
    runner.start()
    try:
        wait_for(lambda: any(part.state is ShardState.DONE for part in _parts(cutting, job)))
        (process, *_) = runner.processes
        os.kill(process, signal.SIGKILL)
        cutting.ended(job)
    finally:
        runner.stop()

    attempts = [part.attempts for part in _parts(cutting, job)]
    assert sum(attempts) <= len(attempts) + 1
    assert comparable(cutting.result(job)["report"]) == in_one_piece(cutting, film, **OFTEN)


def _info(seams: tuple[tuple[int, int], ...], *, size_bytes: int = 10**6) -> MediaInfo:
    return MediaInfo("a", "b", "video", "video/mp4", size_bytes, 256, 256, seams=seams)


SEAMS = tuple((100 * group, 250 * group) for group in range(1, 21))


def test_a_short_clip_stays_one_and_a_long_one_is_cut_into_parts_of_like_cost() -> None:
    # A frame is one tile of 256 px; 250 pictures of 0.065 megapixels are 16 more.
    assert parts_of(_info(SEAMS[:4]), 12, 250) == ()
    assert parts_of(_info(SEAMS[:5]), 12, 250) == ((0, 300), (300, 500))
    assert parts_of(_info(SEAMS), 12, 0) == ()
    assert parts_of(_info(()), 12, 250) == ()


def test_parts_of_a_large_file_are_larger_since_opening_it_takes_longer() -> None:
    small, large = (len(parts_of(_info(SEAMS, size_bytes=size), 12, 250)) for size in (10**6, 200 * 10**6))

    # 2 332 tiles: at least 250 each, and at least 800 each of 0.2 GB.
    assert (small, large) == (7, 2)


def _number(shop: Shop, job: str) -> int:
    with shop.store.engine.connect() as connection:
        found = connection.execute(shards.select().where(shards.c.job == job, shards.c.position == 0))
        return int(found.one().id)


def _parts(shop: Shop, job: str) -> list[Any]:
    return shards_of(shop.store, _number(shop, job))
