"""What the service generates, from the order to a stripped copy that is traced: over HTTP alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from provenance.transparency.notes import PublicKey
from provenance.transparency.proofs import check
from tests import tiny_detector, tiny_generators
from tests.api_service import PATIENCE_SECONDS, running
from tests.conftest import MakePhoto
from tests.touchstone.api.conftest import MakeSettings

Files = dict[str, tuple[str, bytes]]


@pytest.fixture
def http(make_settings: MakeSettings, tmp_path: Path, report: Any) -> Iterator[httpx.Client]:
    """A service with a worker, the colour detector, and generators of its own."""
    folder = tiny_detector.install(tmp_path / "models")
    tiny_generators.install(folder)
    tiny_generators.install_mural(folder)
    with running(make_settings(models=str(folder)), report, workers=1) as api:
        yield api.http


def ended(http: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """What came of the job that was taken in."""
    assert answer.status_code == 202, answer.text
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := http.get(answer.headers["location"]).json())["state"] not in ("done", "failed"):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    assert found["state"] == "done", found
    return dict(found)


def stripped(data: bytes) -> bytes:
    """A tenth of each side cut off, as JPEG of quality 75: nothing but pixels is left."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    height, width = pixels.shape[:2]
    cut = pixels[height // 20 : height - height // 20, width // 20 : width - width // 20]
    return cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()


def from_nothing(http: httpx.Client, photo: bytes) -> httpx.Response:
    return http.post("/v1/generations", json={"model": "mural", "count": 1, "seed": 3})


def from_a_picture(http: httpx.Client, photo: bytes) -> httpx.Response:
    return http.post("/v1/generations", files={"input": ("desk.png", photo)}, data={"model": "mirror"})


@pytest.mark.parametrize(
    ("order", "source_type"),
    [
        (from_nothing, "trainedAlgorithmicMedia"),
        (from_a_picture, "compositeWithTrainedAlgorithmicMedia"),
    ],
)
def test_what_the_service_generates_is_declared_marked_logged_and_known_also_as_a_stripped_copy(
    http: httpx.Client,
    make_photo: MakePhoto,
    order: Callable[[httpx.Client, bytes], httpx.Response],
    source_type: str,
) -> None:
    photo = cv2.imencode(".png", make_photo(320, 320, 1)[:, :, ::-1])[1].tobytes()
    made = ended(http, order(http, photo))
    (place,) = (one["url"] for one in made["files"] if one["role"] == "made")
    data = http.get(place).content

    def asked(what: str, name: str, data: bytes) -> dict[str, Any]:
        answer = http.post(f"/v1/{what}", files={"file": (name, data)})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    declared = asked("verify", "made.png", data)
    seen = asked("trace", "made.png", data)["sightings"]
    logged = http.get("/v1/log/entries", params={"sha256": declared["sha256"]}).json()["items"]
    key = PublicKey.read(http.get("/v1/log").json()["key"])
    report = ended(http, http.post("/v1/scans", files={"file": ("made.png", data)}))["report"]

    assert declared["credentials"]["state"] == "untrusted"
    assert declared["credentials"]["source_type"] == source_type
    assert source_type in [one["value"].rpartition("/")[2] for one in declared["claims"]]
    assert declared["watermark"]["present"]
    assert [(one["origin"], one["job"]) for one in seen] == [("generated", made["id"])]
    assert [check(one, key).entry["kind"] for one in logged] == ["generation"]
    assert logged[0]["entry"]["media_sha256"] == declared["sha256"]
    assert report["verdict"] == "fake"
    assert report["decided_by"] == "watermark"
    assert {"c2pa", "metadata", "watermark", "registry"} <= {one["kind"] for one in report["evidence"]}

    parent = http.get(f"/v1/scans/{report['id']}/parent")
    if source_type.startswith("composite"):
        assert parent.json()["title"] == "desk"
        assert parent.json()["differs"] == {"share": 0.0, "box": None}  # `mirror` gives it back
        assert http.get(parent.json()["url"]).headers["content-type"] == "image/jpeg"
    else:
        assert parent.status_code == 404

    copy = stripped(data)
    declared, seen = asked("verify", "copy.jpg", copy), asked("trace", "copy.jpg", copy)["sightings"]
    report = ended(http, http.post("/v1/scans", files={"file": ("copy.jpg", copy)}))["report"]

    assert (declared["credentials"], declared["claims"]) == ({"state": "none"}, [])
    assert declared["watermark"]["present"]
    assert ("generated", made["id"]) in [(one["origin"], one["job"]) for one in seen]
    assert (report["verdict"], report["decided_by"]) == ("fake", "watermark")
    origins = [one["origin"] for one in report["provenance"]["near_duplicates"]]
    assert "generated" in origins
    page = http.post("/provenance/trace", files={"file": ("copy.jpg", copy)}).text
    assert f"/generate/{made['id']}" in page
    assert "generated here" in page
