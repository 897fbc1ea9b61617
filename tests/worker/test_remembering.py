"""A worker remembers what passes through it, for its tenant alone, as long as the job is there."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from provenance.perceptual import Fingerprint
from provenance.seen import Seen
from tests.conftest import MakePhoto
from tests.worker_service import Shop
from worker.remembering import open_registry
from worker.requests import GenerateRequest, ScanRequest, generate_job, scan_job
from worker.workman import Workman


@pytest.fixture
def photo(tmp_path: Path, make_photo: MakePhoto) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), make_photo(240, 320, 1))
    return path


def work(shop: Shop) -> None:
    with Workman(shop.store, shop.media, shop.settings) as workman:
        while workman.work():
            pass


def scan(shop: Shop, path: Path, tenant: str = "local") -> str:
    request = ScanRequest(shop.put(path), path.name, path.stat().st_size)
    job = shop.store.submit(scan_job(request, tenant=tenant))[0].id
    work(shop)
    return job


def known(shop: Shop, job: str) -> list[str]:
    report = shop.result(job)["report"]
    found = report["provenance"]["near_duplicates"]
    assert len(found) == sum(one["kind"] == "registry" for one in report["evidence"])
    return [one["job"] for one in found]


def test_a_second_scan_tells_of_the_first_and_no_other_tenant_is_told(shop: Shop, photo: Path) -> None:
    first = scan(shop, photo)
    second = scan(shop, photo)
    foreign = scan(shop, photo, tenant="other")
    assert known(shop, first) == []
    assert known(shop, second) == [first]
    assert known(shop, foreign) == []


def test_a_deleted_scan_is_forgotten(shop: Shop, photo: Path) -> None:
    shop.store.remove(scan(shop, photo))
    assert known(shop, scan(shop, photo)) == []


def test_what_a_generator_makes_is_entered(shop: Shop) -> None:
    job = shop.store.submit(generate_job(GenerateRequest("dots", 2)))[0].id
    work(shop)
    registry = open_registry(shop.store.engine)
    assert registry.counts("local") == [("generated", "", 2)]
    made = shop.media.artefact(job, shop.result(job)["files"][0]["name"])
    (one,) = registry.trace("local", shop.put(made), Fingerprint()).sightings
    assert (one.origin, one.job, one.source.partition("@")[0]) == ("generated", job, "dots")


def test_a_service_that_is_to_remember_nothing_does_not(shop: Shop, photo: Path) -> None:
    forgetful = shop.settings.model_copy(update={"registry": False})
    shop.settings = forgetful
    assert known(shop, scan(shop, photo)) == []
    assert known(shop, scan(shop, photo)) == []
    assert open_registry(shop.store.engine).trace("local", shop.put(photo), Fingerprint()) == Seen(
        known=False
    )
