"""Long videos that a worker fetches: fetched once, cut into parts, and gone again when nobody needs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.video import write_video
from tests.tiny_detector import picture
from tests.web_site import Site, incoming
from tests.worker_service import Shop
from worker.jobs.holdings import media_of
from worker.requests import BatchItem, BatchRequest, ScanRequest, open_batch, scan_job
from worker.workman import Workman


@pytest.fixture
def film(shop: Shop, site: Site, tmp_path: Path) -> str:
    """The address of a video with several key frames, which is worth several shards here."""
    pictures = [picture(64, 96, lean=6.0, seed=seed) for seed in range(60)]
    write_video(tmp_path / "film.mp4", pictures, 10.0, "mpeg4")
    site.picture = (tmp_path / "film.mp4").read_bytes()
    shop.settings = shop.settings.model_copy(
        update={"fetch_web": True, "fetch_private": True, "part_tiles": 2}
    )
    return site.at("/red.png")


def test_a_long_video_that_was_fetched_is_cut_and_fetched_once(
    shop: Shop, site: Site, film: str, tmp_path: Path
) -> None:
    job = shop.store.submit(scan_job(ScanRequest("", film, 0, url=film)))[0].id
    upload = shop.scan(tmp_path / "film.mp4")

    rounds = work_off(shop)

    assert rounds > 4, "it was not cut"
    assert len(site.asked) == 1
    one, other = shop.result(job)["report"], shop.result(upload)["report"]
    assert one["media"] == {**other["media"], "path": film}
    assert (one["verdict"], one["timeline"]) == ("fake", other["timeline"])
    assert media_of(shop.store.engine, job) == [one["media"]["sha256"]]


def test_a_long_video_of_a_batch_is_kept_until_its_parts_have_ended(
    shop: Shop, site: Site, film: str, tmp_path: Path
) -> None:
    job, _ = open_batch(shop.store, BatchRequest([BatchItem("film", path=film)]))
    with Workman(shop.store, shop.media, shop.settings) as workman:
        workman.work()
    (sha256,) = media_of(shop.store.engine, job.id)
    assert shop.media.has(sha256)

    work_off(shop)

    (row,) = shop.result(job.id)["rows"]
    assert (row["media"]["path"], row["media"]["sha256"], row["verdict"]) == ("film", sha256, "fake")
    assert len(site.asked) == 1
    assert not shop.media.has(sha256)
    assert media_of(shop.store.engine, job.id) == []
    assert incoming(shop) == []


def test_what_the_batch_also_brought_along_outlives_the_parts(shop: Shop, film: str, tmp_path: Path) -> None:
    sha256 = shop.put(tmp_path / "film.mp4")
    items = [BatchItem("film", path=film), BatchItem("own", sha256=sha256)]
    job, _ = open_batch(shop.store, BatchRequest(items), media=[sha256])

    work_off(shop)

    first, second = shop.result(job.id)["rows"]
    assert first["timeline"] == second["timeline"]
    assert shop.media.has(sha256)


def work_off(shop: Shop) -> int:
    """Do all there is; how many times something was claimed."""
    rounds = 0
    with Workman(shop.store, shop.media, shop.settings) as workman:
        while workman.work():
            rounds += 1
    return rounds
