"""Every command and program of docs/api.md does what the page says, against a service that runs."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from tests.api_service import Api
from tests.command_line import write_picture
from tests.touchstone.api.conftest import StartApi

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8700"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def working(start: StartApi, tmp_path: Path, make_photo: Callable[..., Pixels]) -> Iterator[Api]:
    """The service with a worker beside it, a photo in the working directory, and a folder of photos."""
    write_picture(tmp_path / "photo.jpg", 6)
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(40):
        (photos / f"{number}.jpg").write_bytes(encode_jpeg(make_photo(160, 160, number), 90))
    api = start(testset_folders=str(photos))
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            for lease in api.service.leases.claim("test", ["scan"]):
                api.work(lease)
            with contextlib.suppress(ValueError):
                api.work_batch()

    thread = threading.Thread(target=work)
    thread.start()
    yield api
    stop.set()
    thread.join()


def test_the_commands_of_the_page_do_what_it_says(working: Api, tmp_path: Path) -> None:
    scripts = blocks("sh")
    assert len(scripts) == 7
    answers = []
    for script in scripts:
        run = subprocess.run(
            ["sh", "-e", "-c", script.replace(ADDRESS, working.url)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "no_proxy": "*"},
            check=False,
        )
        assert run.returncode == 0, run.stderr
        decoder, text = json.JSONDecoder(), run.stdout
        while text:
            answer, end = decoder.raw_decode(text)
            answers.append(answer)
            text = text[end:].lstrip()
    first, known, again, alone, batch, generation, filled, wider, recipes, plan, testset, *about = answers
    assert (first["state"], first["verdict"], first["client_ref"]) == ("done", "fake", "desk 4")
    assert known["scans"][0]["id"] == first["id"]
    assert again["sha256"] == first["sha256"]
    assert (alone["sha256"], alone["name"], alone["priority"]) == (first["sha256"], "photo.jpg", "batch")
    assert (generation["state"], generation["count"]) == ("queued", 2)
    assert filled["asked"]["box"] == "40,60,96,64"
    assert wider["asked"]["side"] == ["left", "right"]
    assert "quick-look" in [recipe["name"] for recipe in recipes["items"]]
    assert (plan["reals"], testset["state"], testset["name"]) == (40, "queued", "quick-look")
    verified, traced = about
    assert (verified["credentials"], traced["sightings"]) == ({"state": "none"}, [])
    assert json.loads((tmp_path / "photo.signed.jpg").read_text())["code"] == "switched_off"
    assert (batch["state"], batch["counts"]["fake"], batch["failed"]) == ("done", 1, 1)


def test_the_program_of_the_page_prints_what_it_says(working: Api) -> None:
    (program,) = blocks("python")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(program.replace(ADDRESS, working.url), {})
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("fake [")
    assert [line.split()[0] for line in lines[1:5]] == ["queued", "running", "frame", "done"]
    assert lines[5].split()[0] == "again"


def test_every_path_of_the_page_exists(api: Api) -> None:
    paths = api.http.get("/openapi.json").json()["paths"]
    known = {re.sub(r"\{\w+\}", "{id}", path) for path in paths}
    named = {re.sub(r"\{\w+\}", "{id}", path) for path in re.findall(r"`(?:[A-Z]+ )?(/v1/[^`\s]*)`", PAGE)}
    assert named
    assert named <= known
