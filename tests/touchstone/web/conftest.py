"""The pages over a stand-in for the API, served at an address, and a real Chromium."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from evidence.verdict import (
    Finding,
    ModelUse,
    Reason,
    Region,
    Report,
    Segment,
    Stability,
    Threshold,
    TimelinePoint,
    nothing_claimed,
)
from provenance.credentials import Action, Credentials, Ingredient, Manifest, Problem
from tests import tiny_detector
from tests.touchstone.web.browsing import PATIENCE_MS, faults_of
from tests.touchstone.web.stub import Stub
from touchstone.api.app import create_app
from worker.embedded import EmbeddedRunner
from worker.settings import load_settings

_NO_TAR = {"tar": None, "lint": "/v1/testsets/leaky/lint", "card": "/v1/testsets/leaky/card"}
THRESHOLD = Threshold("pooled", 0.86, 0.01, "held-out photographs", 1204)


def plain_report(name: str = "a.jpg", verdict: str | None = "fake", **fields: Any) -> dict[str, Any]:
    """A report as the API gives it."""
    chance = {"fake": 0.97, "real": 0.04, "uncertain": 0.5}.get(verdict or "")
    media = {
        "path": name, "sha256": "ab" * 32, "kind": "image", "mime": "image/jpeg", "size_bytes": 61_300,
        "width": 256, "height": 192, "duration_s": None, "frames": 1, "fps_mode": None, "rotation": None,
        "codec": "jpeg", "jpeg": {"quality": 90, "sampling": "4:2:0"},
    }  # fmt: skip
    given: dict[str, Any] = {
        "media": media | fields.pop("media", {}),
        "status": "ok" if verdict else "unable",
        "reason": None if verdict else Reason("damaged", "The file is cut short. Fetch it again."),
        "verdict": verdict,
        "fake_probability": chance,
        "interval": (chance - 0.03, chance + 0.02) if chance else None,
        "threshold": THRESHOLD,
        "stability": Stability(5, 5),
        "regions": (Region((64, 48, 128, 144), "face", 0.95),) if verdict == "fake" else (),
        "evidence": (Finding("detector", "The pixels carry traces that generators leave.", 2.1),),
        "models": (ModelUse("tiny", "1", "cd" * 32, chance or 0.0, 12.0),),
    }
    return json.loads(json.dumps(Report("id", **(given | fields)).to_dict()))


def film_report(name: str = "clip.mp4") -> dict[str, Any]:
    """A video of six seconds that reads as forged from the second to the fourth."""
    points = tuple(TimelinePoint(t / 2, t * 12, 0.96 if 4 <= t < 8 else 0.05) for t in range(12))
    film = {"kind": "video", "mime": "video/mp4", "codec": "h264", "jpeg": None, "duration_s": 6.0}
    return plain_report(name, timeline=points, segments=(Segment(2.0, 4.0, 0.96),), media=film)


@pytest.fixture
def stub(tmp_path: Path, photo: Pixels, clip: Path) -> Stub:
    """One scan in each state, a batch, a detector."""
    for name in ("fake", "film"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "preview.jpg").write_bytes(encode_jpeg(np.ascontiguousarray(photo), 85))
    (tmp_path / "fake" / "heat.png").write_bytes(_TRANSPARENT)
    shutil.copy(clip, tmp_path / "film" / "media")
    made = Stub(tmp_path)
    made.scan("fake", report=plain_report("fake.png", provenance=nothing_claimed() | {"c2pa": _changed()}))
    made.scan("real", report=plain_report("real.png", "real"))
    made.scan(
        "unclear", report=plain_report("unclear.png", "uncertain", reason=Reason("unstable", "It flips."))
    )
    made.scan("damaged", report=plain_report("damaged.png", None))
    made.scan("film", name="clip.mp4", report=film_report())
    made.scan("waits", "queued")
    made.scan("runs", "running", progress={"done": 3, "of": 12})
    made.scan("broke", "failed", error={"code": "decoder_crashed", "message": "The decoder crashed."})
    made.scan("stopped", "cancelled")
    made.models = [_model("tiny", "detector"), *_GENERATORS]
    files = [
        ("made", "a-filler.png"),
        ("mask", "mask-a.png"),
        ("before", "before-a.jpg"),
        ("manifest", "m.jsonl"),
    ]
    made.generation(
        "forged",
        asked={"input": [{"sha256": "0" * 64, "name": "a.png"}], "box": "1,2,30,40"},
        files=[_made(role, name, before="before-a.jpg" if role == "made" else "") for role, name in files],
    )
    made.generation("film", model="dots@1", files=[_made("made", "dots.mp4"), _made("manifest", "m.jsonl")])
    made.testset("built", left_out=[{"name": "photos/7.jpg", "why": "It is damaged."}], left_out_count=1)
    made.testset("leaky", lint={"verdict": "failed", "worst_auc": 0.9, "leaks": ["format"]}, links=_NO_TAR)
    made.testset("growing", "running", stage="forging", progress={"done": 30, "of": 120})
    made.testset("broken", "failed", error={"code": "worker_died", "message": "By signal SIGKILL."})
    made.generation("making", "running", progress={"done": 3, "of": 48})
    made.generation("unmade", "failed", error={"code": "unsupported", "message": "a is a video."})
    counts = {"fake": 1, "real": 1, "uncertain": 0, "none": 1}
    made.batches["night"] = {
        "id": "night", "name": "Archive", "state": "done", "created": 1_764_000_000.0, "finished": None,
        "total": 3, "done": 3, "failed": 2, "retriable": 1, "counts": counts,
    }  # fmt: skip
    shown = {"title": "whole.jpg", "url": "/v1/scans/fake/preview.jpg", "width": 256, "height": 192}
    made.beside["fake", "parent"] = shown | {"differs": {"share": 0.02, "box": [0.3, 0.2, 0.5, 0.4]}}
    made.beside["fake", "signed"] = shown | {"differs": None}
    entry = {"kind": "scan", "verdict": "fake", "time": "2026-11-25T12:00:00Z", "media_sha256": "ab" * 32}
    made.proofs["fake"] = {"entry": entry, "proof": "c2sp.org/tlog-proof@v1\nindex 5\n\nstub/log\n7\n"}
    empty = {"code": "empty", "message": "It is empty."}
    made.items["night"] = [
        _item(0, "a.png", report=plain_report("a.png")),
        _item(1, "b.png", report=plain_report("b.png", None)),
        _item(2, "c.png", "failed", error=empty),
    ]
    made.batches["day"] = made.batches["night"] | {"id": "day", "state": "running", "done": 1, "total": 2}
    made.items["day"] = [_item(0, "a.png", report=plain_report("a.png")), _item(1, "b.png", "queued")]
    return made


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """`serve(app)` runs an application until the test ends and gives its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI) -> str:
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="critical", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        while not server.started:
            assert thread.is_alive(), "the server did not start"
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def serve_all(tmp_path: Path, serve: Callable[[FastAPI], str]) -> Callable[..., str]:
    """`serve_all(signing=True)`: the address of a service that has its page, its API and one worker."""
    models = tiny_detector.install(tmp_path / "models")

    def start(**fields: Any) -> str:
        folders = {"models": str(models), "data_dir": tmp_path / "data"}
        settings = load_settings(**folders, decoders=1, threads=1, free_bytes=0, **fields)
        return serve(create_app(settings, runner=EmbeddedRunner(settings, workers=1)))

    return start


@pytest.fixture
def pages(stub: Stub, serve: Callable[[FastAPI], str]) -> Iterator[httpx.Client]:
    """The pages over HTTP; redirects are not followed."""
    with httpx.Client(base_url=serve(stub.app), timeout=PATIENCE_MS / 1e3) as client:
        yield client


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium, without a window."""
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    assert path, "no Chromium: run `make services`, or apt-get install chromium"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        # Root has no sandbox to put Chromium in; the pages it opens are ours.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def address(stub: Stub, serve: Callable[[FastAPI], str]) -> str:
    """Where the pages are."""
    return serve(stub.app)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser of its own."""
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A window; the test fails on whatever the console calls an error, the policy's refusals among them."""
    page = context.new_page()
    faults = faults_of(page)
    yield page
    assert faults == []


def _model(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    made = {
        "name": name, "version": "1", "kind": kind, "sha256": "ef" * 32, "size_bytes": 1000, "default": True,
        "task": "", "licence": "Apache-2.0", "training": {}, "metrics": {}, "card": "# A card",
        "takes": [], "films": [], "inputs": [],
        "calibration": _CALIBRATION if kind == "detector" else None,
    }  # fmt: skip
    return made | fields


def _changed() -> dict[str, Any]:
    """The credentials of a file that was made from another, signed, and changed since."""
    parent = Ingredient("whole.jpg", "image/jpeg", "parentOf", "none")
    manifest = Manifest("m", "fake.png", "An Editor", None, "", (Action("c2pa.edited"),), (parent,))
    broken = Problem("assertion.dataHash.mismatch", "Hashes do not match.", "c2pa.hash.data")
    return Credentials("invalid", (broken,), place="embedded", manifest=manifest).to_dict()


def _item(position: int, name: str, state: str = "done", **fields: Any) -> dict[str, Any]:
    return {"position": position, "name": name, "state": state, "report": None, "error": None} | fields


def _made(role: str, name: str, before: str = "") -> dict[str, Any]:
    mime = {"png": "image/png", "jpg": "image/jpeg", "mp4": "video/mp4"}.get(
        name[-3:], "application/x-ndjson"
    )
    return {
        "name": name,
        "url": f"/v1/scans/fake/preview.jpg?{name}",
        "mime": mime,
        "role": role,
        "before": before,
    }


def _generator(name: str, task: str, takes: str, *inputs: dict[str, Any], films: str = "") -> dict[str, Any]:
    parts = {"takes": takes.split(), "films": films.split(), "inputs": list(inputs)}
    return _model(name, "generator", task=task, **parts)


_UNITS = {"role": "units", "names": ["AU07", "AU10", "AU12", "AU16"], "low": 0.0, "high": 1.0}
_GENERATORS = (
    _generator("dots", "noise", "count seed truncation grid film gif", films="interpolation"),
    _generator("shades", "class", "count classes grid", {"role": "label", "names": ["black", "white"]}),
    _generator(
        "poet", "caption", "count caption grid", {"role": "tokens", "names": ["", "?", "red", "blue"]}
    ),
    _generator("filler", "inpainting", "input mask box grid"),
    _generator("extender", "outpainting", "input side extend grid"),
    _generator("smiler", "animation", "input box units expression grid film gif", _UNITS, films="expression"),
    _generator("turner", "rotation", "input box yaw grid", {"role": "yaw", "low": -45.0, "high": 45.0}),
)
_CALIBRATION = {"measured_on": "photographs", "false_alarm_rate": 0.01}
_TRANSPARENT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63606060600000"
    "00050001a5f645400000000049454e44ae426082"
)
