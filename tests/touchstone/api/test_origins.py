"""Verify, trace and sign over HTTP: what is told, what is refused, and that nothing of it is kept."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest

from provenance.perceptual import fingerprint
from provenance.registry import EVERYBODY, Entry
from provenance.signers import development_key
from provenance.signing import Statement, sign_file
from provenance.transparency.proofs import check
from tests.api_service import Api, problem
from tests.conftest import MakePhoto
from tests.touchstone.api.conftest import StartApi
from tests.touchstone.api.test_access import client
from touchstone.client import AsyncClient, Client
from worker.remembering import open_registry


@pytest.fixture
def photo(tmp_path: Path, make_photo: MakePhoto) -> Path:
    path = tmp_path / "photo.png"
    assert cv2.imwrite(str(path), make_photo(240, 320, 1)[:, :, ::-1])
    return path


@pytest.fixture
def signed(photo: Path, tmp_path: Path) -> Path:
    """The photograph as generated, with a signature that nobody knows."""
    key = development_key(tmp_path / "authority")
    return sign_file(photo, photo.with_name("signed.png"), Statement("generated"), key)


def post(api: Api, what: str, path: Path, http: httpx.Client | None = None, **fields: Any) -> httpx.Response:
    files = {name: value for name, value in fields.items() if isinstance(value, Path)}
    data = {name: value for name, value in fields.items() if not isinstance(value, Path)}
    sent = {name: (one.name, one.read_bytes()) for name, one in {"file": path, **files}.items()}
    return (http or api.http).post(f"/v1/{what}", files=sent, data=data)


def kept(api: Api) -> list[Path]:
    return [path for path in api.service.media.folder.rglob("*") if path.is_file()]


def test_a_medium_is_verified_however_it_is_handed_in_and_nothing_of_it_is_kept(
    api: Api, signed: Path, photo: Path
) -> None:
    found = post(api, "verify", signed).json()
    bare = api.http.post(
        "/v1/verify", params={"name": "signed.png"}, content=signed.read_bytes(),
        headers={"Content-Type": "image/png"},
    ).json()  # fmt: skip
    assert kept(api) == []

    assert (found["name"], found["mime"]) == ("signed.png", "image/png")
    assert found["sha256"] == hashlib.sha256(signed.read_bytes()).hexdigest()
    assert found["credentials"]["state"] == "untrusted"
    assert found["credentials"]["source_type"] == "trainedAlgorithmicMedia"
    assert "Declared as made by a machine" in " ".join(found["words"])
    assert bare == found
    assert post(api, "verify", photo).json()["credentials"] == {"state": "none"}
    sha256 = api.upload(signed.read_bytes(), "signed.png").json()["sha256"]
    assert api.http.post("/v1/verify", json={"sha256": sha256}).json() == found


def test_a_sidecar_comes_along_and_a_changed_file_is_told_to_be_changed(
    api: Api, photo: Path, tmp_path: Path
) -> None:
    picture = photo.with_suffix(".bmp")
    cv2.imwrite(str(picture), cv2.imread(str(photo)))
    sidecar = sign_file(picture, tmp_path / "a.c2pa", Statement("generated"), development_key(tmp_path / "k"))
    assert post(api, "verify", picture, sidecar=sidecar).json()["credentials"]["place"] == "sidecar"
    data = bytearray(picture.read_bytes())
    data[-1] ^= 1
    picture.write_bytes(data)
    broken = post(api, "verify", picture, sidecar=sidecar).json()["credentials"]
    assert broken["state"] == "invalid"
    assert "assertion.dataHash.mismatch" in [one["code"] for one in broken["problems"]]


def test_a_tenant_is_told_of_what_they_and_everybody_saw_and_of_nothing_of_another(
    api: Api, photo: Path
) -> None:
    pixels = cv2.imread(str(photo))
    registry = open_registry(api.service.store.engine)
    mirrored = fingerprint(pixels[:, ::-1, ::-1])
    registry.enter([Entry("red", "scanned", "a" * 64, name="red's secret.jpg", fingerprint=mirrored)])
    with client(api, "red") as red, client(api, "blue") as blue:
        (seen,) = post(api, "trace", photo, red).json()["sightings"]
        other = post(api, "trace", photo, blue)
        registry.enter([Entry(EVERYBODY, "flagged", "b" * 64, name="hoax", fingerprint=mirrored)])
        flagged = post(api, "trace", photo, blue).json()["sightings"]

    assert (seen["name"], seen["turned"]) == ("red's secret.jpg", "mirrored")
    assert seen["distance"] <= 31
    assert seen["false_match_rate"] == 1e-6
    assert other.json()["sightings"] == []
    assert other.json()["compared"] == 0
    assert "secret" not in other.text
    assert [one["name"] for one in flagged] == ["hoax"]
    assert registry.counts("blue") == []


def test_what_was_switched_off_is_refused_and_a_key_without_the_scope_too(
    start: StartApi, photo: Path
) -> None:
    api = start(registry=False)
    problem(post(api, "trace", photo), 403, "switched_off")
    problem(post(api, "sign", photo), 403, "switched_off")
    problem(api.http.post("/v1/scans/any/report.signed.zip"), 403, "switched_off")
    with client(api, "red", "read", "write") as writer:
        problem(post(api, "sign", photo, writer), 403, "scope_missing")
        problem(writer.post("/v1/scans/any/report.signed.zip"), 403, "scope_missing")


def test_a_service_that_signs_says_what_was_asked_and_never_that_a_camera_took_it(
    start: StartApi, photo: Path, signed: Path
) -> None:
    api = start(signing=True)
    with client(api, "red", "sign", "write") as red:
        problem(post(api, "sign", photo, red, source_type="digitalCapture"), 422, "invalid")
        problem(post(api, "sign", photo, red, **{"as": "report"}), 422, "invalid")
        problem(post(api, "sign", photo, red, **{"as": "scanned", "parent": signed}), 422, "signing")
        made = post(api, "sign", photo, red, **{"as": "edited", "parent": signed, "title": "Cut"})
        cut = photo.with_name("cut.png")
        cut.write_bytes(made.content)
        said = post(api, "verify", cut, red).json()["credentials"]
        picture = photo.with_suffix(".bmp")
        cv2.imwrite(str(picture), cv2.imread(str(photo)))
        sidecar = post(api, "sign", picture, red, **{"as": "scanned"})

    assert made.headers["content-type"] == "image/png"
    assert made.headers["content-disposition"].endswith("photo.signed.png")
    assert said["state"] == "untrusted"
    assert said["manifest"]["title"] == "Cut"
    assert [one["name"] for one in said["manifest"]["actions"]] == ["c2pa.opened", "c2pa.edited"]
    (parent,) = said["manifest"]["ingredients"]
    assert (parent["title"], parent["relationship"]) == ("signed.png", "parentOf")
    assert said["source_type"] == "trainedAlgorithmicMedia"  # the parent's
    assert sidecar.headers["content-type"] == "application/c2pa"
    assert sidecar.headers["content-disposition"].endswith("photo.bmp.c2pa")
    assert kept(api) == []


def test_a_report_is_signed_by_the_service_and_holds_with_its_sidecar_until_a_byte_is_changed(
    start: StartApi, tmp_path: Path
) -> None:
    api = start(signing=True)
    scan = f"/v1/scans/{api.upload().json()['id']}"
    api.work()

    made = api.http.post(f"{scan}/report.signed.zip")

    assert made.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        report, sidecar = archive.namelist()
        archive.extractall(tmp_path)
    assert sidecar == f"{report}.c2pa"
    said = json.loads((tmp_path / report).read_text())
    assert check(said["provenance"]["log"], api.service.logbook.key()).entry["verdict"] == said["verdict"]
    found = post(api, "verify", tmp_path / report, sidecar=tmp_path / sidecar).json()["credentials"]
    assert (found["state"], found["place"]) == ("untrusted", "sidecar")
    (tmp_path / report).write_text((tmp_path / report).read_text().replace(said["verdict"], "real"))
    broken = post(api, "verify", tmp_path / report, sidecar=tmp_path / sidecar).json()["credentials"]
    assert broken["state"] == "invalid"


def test_hostile_bytes_are_findings_and_errors_never_faults(start: StartApi, signed: Path) -> None:
    api = start(signing=True, max_bytes=300_000)
    data = signed.read_bytes()
    for cut in (b"", b"\x89PNG\r\n\x1a\n", data[: len(data) // 2], data[:60] + data[80:]):
        path = signed.with_name("hostile.png")
        path.write_bytes(cut)
        for what in ("verify", "trace", "sign"):
            assert post(api, what, path).status_code in (200, 422), (what, len(cut))
    path.write_bytes(bytes(300_001))
    for what in ("verify", "trace", "sign"):
        problem(post(api, what, path), 413, "too_large")
        problem(api.http.post(f"/v1/{what}", json={"sha256": "0" * 64}), 404, "no_such_medium")
        problem(api.http.post(f"/v1/{what}", json={"sha256": 1}), 422, "invalid")
        problem(api.http.post(f"/v1/{what}", files={"other": ("a", b"a")}), 422, "invalid")
    assert kept(api) == []


def test_both_clients_verify_trace_and_sign(start: StartApi, photo: Path) -> None:
    api = start(signing=True)

    async def awaited() -> tuple[Any, Any, bytes]:
        async with AsyncClient(api.url) as http:
            made = await http.sign(photo, what="generated")
            return await http.verify(made, name="a.png"), await http.trace(photo), made

    with Client(api.url) as http:
        made = http.sign(photo, what="generated")
        found = http.verify(made, name="a.png")
        seen = http.trace(photo)
    other, other_seen, _ = asyncio.run(awaited())
    assert found["credentials"]["source_type"] == "trainedAlgorithmicMedia"
    assert other["credentials"]["state"] == found["credentials"]["state"] == "untrusted"
    assert seen == other_seen
    assert seen["sightings"] == []
