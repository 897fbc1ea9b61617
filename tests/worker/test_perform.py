"""What comes of shards: the reports of `touchstone scan`, pictures beside them, causes of failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from evidence.verdict import Report
from evidence.video import write_video
from tests.tiny_detector import picture
from tests.worker_service import Shop
from worker.jobs.leases import Leases
from worker.keeping import Keeper
from worker.perform import perform_all
from worker.requests import BatchItem, BatchRequest, ScanOptions, open_batch
from worker.scanner import Scanner
from worker.tools import Tools


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four seconds that turn fake in the middle."""
    leans = [-6.0] * 20 + [6.0] * 20
    write_video(tmp_path / "clip.mp4", [picture(64, 96, lean=x, seed=i) for i, x in enumerate(leans)], 10.0)
    return tmp_path / "clip.mp4"


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what differs from run to run: times, and the id, which is the job's."""
    plain = json.loads(json.dumps(report))
    plain["models"] = [{**model, "ms": 0} for model in plain["models"]]
    return plain | {"id": "", "timings": {}}


def test_a_scan_from_the_queue_is_that_of_the_command_line_field_for_field(shop: Shop, clip: Path) -> None:
    broken = shop.folder / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nand nothing more")
    paths = [shop.picture(6, name="red.png"), shop.picture(-6, name="blue.png"), clip, broken]
    for path in paths:
        shop.scan(path)

    outcomes = shop.perform()

    with Scanner(shop.settings) as scanner:
        for path, scanned, outcome in zip(paths, scanner.scan_all(map(str, paths)), outcomes, strict=True):
            assert outcome.result is not None
            assert outcome.result["report"]["id"] == outcome.lease.job
            expected = comparable(scanned.named(path.name).report.to_dict())
            assert comparable(outcome.result["report"]) == expected
            Report.from_dict(json.loads(json.dumps(outcome.result["report"])))


def test_pictures_lie_beside_a_scan_and_the_heat_map_has_the_size_of_the_preview(shop: Shop) -> None:
    job = shop.scan(shop.picture(6, side=128))

    (outcome,) = shop.perform()

    assert outcome.result is not None
    assert (outcome.result["heat"], outcome.result["preview"]) == (True, True)
    heat = cv2.imread(str(shop.media.artefact(job, "heat.png")), cv2.IMREAD_UNCHANGED)
    preview = cv2.imread(str(shop.media.artefact(job, "preview.jpg")))
    assert heat is not None
    assert preview is not None
    assert heat.shape == (128, 128, 4)
    assert preview.shape == (128, 128, 3)


def test_a_video_tells_of_its_frames_and_a_still_does_not(shop: Shop, clip: Path) -> None:
    shop.scan(shop.picture())
    shop.perform()
    assert shop.told == []

    shop.scan(clip, options={"every_seconds": 0.1})
    shop.perform()

    assert shop.told[0] == (1, 40)


def test_a_batch_gives_a_row_for_every_item_in_their_order(shop: Shop) -> None:
    stored = shop.put(shop.picture(-6, name="blue.png"))
    items = [
        BatchItem("row 1", problem="Line 1 names no file."),
        BatchItem("red", path=str(shop.picture(6, name="red.png"))),
        BatchItem("blue", sha256=stored),
        BatchItem("missing", path=str(shop.folder / "missing.png")),
        BatchItem("row 5", problem="Line 5 names no file."),
    ]
    open_batch(shop.store, BatchRequest(items))

    (outcome,) = shop.perform()

    assert outcome.result is not None
    rows = outcome.result["rows"]
    assert [row["media"]["path"] for row in rows] == ["row 1", "red", "blue", "missing", "row 5"]
    assert [row["verdict"] for row in rows] == [None, "fake", "real", None, None]
    codes = [row["reason"]["code"] for row in rows if row["status"] == "unable"]
    assert codes == ["bad_row", "unreadable", "bad_row"]
    assert str(shop.folder) not in json.dumps(rows), "a place on the server was told"


def test_an_unknown_model_fails_for_good_and_its_neighbour_does_not(shop: Shop) -> None:
    shop.scan(shop.picture(), options={"model": "nobody"})
    shop.scan(shop.picture())

    outcomes = shop.perform()

    assert [outcome.final for outcome in outcomes] == [True, False]
    assert outcomes[0].cause is not None
    assert outcomes[0].cause["code"] == "model_not_found"
    assert outcomes[1].result is not None


def test_nothing_comes_of_a_lease_that_was_cancelled_meanwhile(shop: Shop, clip: Path) -> None:
    job = shop.scan(clip, options={"every_seconds": 0.1})
    leases = Leases(shop.store).claim("test", ["scan"])
    shop.store.cancel(job)

    outcomes = shop.perform(leases)

    assert not any(
        outcome.result and Leases(shop.store).complete(leases[0], outcome.result) for outcome in outcomes
    )
    assert shop.store.shards(job)[0].result is None


def test_a_shard_that_was_tried_before_is_claimed_alone(shop: Shop) -> None:
    for _ in range(3):
        shop.scan(shop.picture())
    leases = Leases(shop.store)
    leases.claim("dead", ["scan"], count=2)
    leases.lost("dead", {"code": "worker_died", "message": "It is gone."})
    shop.store.clock = lambda: 4e9  # behind every pause

    claims = [leases.claim("next", ["scan"], count=8) for _ in range(3)]

    assert [len(claim) for claim in claims] == [1, 1, 1]
    assert sorted(claim[0].attempt for claim in claims) == [1, 2, 2]


def test_a_decoder_that_was_killed_costs_an_attempt_and_not_the_file(shop: Shop) -> None:
    shop.scan(shop.picture(6))
    leases = Leases(shop.store)
    first = leases.claim("test", ["scan"])

    with Keeper(leases, 60.0) as keeper, Tools(shop.settings, shop.media, keeper, lambda *_: None) as tools:
        zygote = tools.scanner(ScanOptions())._pool._zygote
        assert zygote is not None
        zygote._process.kill()
        zygote._process.wait()
        outcomes = list(perform_all(first, tools))

    assert outcomes[0].result is not None, outcomes[0].cause
    assert outcomes[0].result["report"]["verdict"] == "fake"
