"""`touchstone serve` as a person starts it: one process, real workers, the words of `touchstone scan`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from evidence.video import write_video
from tests import tiny_detector
from tests.command_line import Touchstone, write_picture
from tests.tiny_detector import picture
from touchstone.api.server import listen
from touchstone.client import Client
from worker.scanner import Scanner
from worker.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
# What says which run it was, not what was found.
OF_THE_RUN = ("id", "timings", "media", "models")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("serve")
    models = tiny_detector.install(folder / "models")
    return load_settings(models=str(models), data_dir=folder / "data", decoders=1, threads=1, free_bytes=0)


@contextmanager
def serving(settings: Settings, *arguments: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the address it says."""
    names = ("models", "data_dir", "decoders", "threads", "free_bytes")
    environment = {f"TOUCHSTONE_{name.upper()}": str(getattr(settings, name)) for name in names}
    environment |= {f"TOUCHSTONE_{name.upper()}": value for name, value in more.items()}
    command = [sys.executable, "-m", "touchstone", "serve", "--port", "0", *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOUCHSTONE_")}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=settings.data_dir.parent,
        env={**kept, **environment, "PYTHONPATH": str(ROOT)},
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        try:
            line = running.stdout.readline()
            assert line.startswith("Touchstone listens on http://127.0.0.1:"), running.stderr.read()
            yield running, line.split()[-1]
        finally:
            running.kill()


def found(report: dict[str, Any]) -> dict[str, Any]:
    """What a report says of the medium."""
    media = {name: value for name, value in report["media"].items() if name != "path"}
    models = [{name: value for name, value in model.items() if name != "ms"} for model in report["models"]]
    said = {name: value for name, value in report.items() if name not in OF_THE_RUN}
    return said | {"media": media, "models": models}


def plain(report: Any) -> dict[str, Any]:
    """A report as it is after JSON."""
    loaded: dict[str, Any] = json.loads(json.dumps(report.to_dict()))
    return loaded


def test_a_picture_and_a_clip_get_the_report_that_the_library_gives(
    settings: Settings, tmp_path: Path
) -> None:
    photo = write_picture(tmp_path / "red.jpg", 6)
    clip = tmp_path / "clip.mp4"
    write_video(clip, [picture(64, 96, lean=6.0, seed=n) for n in range(12)], 6.0)
    with Scanner(settings) as scanner:
        expected = [plain(scanner.scan(path)) for path in (photo, clip)]

    with serving(settings) as (_, url), Client(url) as touchstone:
        scans = [touchstone.scan(path) for path in (photo, clip)]
        events = [event["event"] for event in touchstone.events(scans[1]["id"])]
        pictures = [touchstone.call("GET", scans[0]["links"][name]) for name in ("heat", "preview")]
        page = touchstone.call("GET", scans[1]["links"]["report_html"])

    assert [found(scan["report"]) for scan in scans] == [found(report) for report in expected]
    assert [scan["report"]["media"]["path"] for scan in scans] == ["red.jpg", "clip.mp4"]
    assert [scan["report"]["id"] for scan in scans] == [scan["id"] for scan in scans]
    assert events[0] == "queued"
    assert events[-1] == "done"
    assert [data[:4] for data in pictures] == [b"\x89PNG", b"\xff\xd8\xff\xe0"]
    assert b"clip.mp4" in page


def test_what_is_no_picture_is_unable_and_a_batch_answers_every_row(
    settings: Settings, tmp_path: Path
) -> None:
    for name in ("a.jpg", "b.jpg"):
        write_picture(tmp_path / name, 6)
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    with serving(settings, "--folder", str(tmp_path)) as (_, url), Client(url) as touchstone:
        broken = touchstone.scan(b"no picture", name="notes.txt")
        batch = touchstone.batch(folder=str(tmp_path))["id"]
        while touchstone.call("GET", f"/v1/batches/{batch}")["state"] != "done":
            time.sleep(0.1)
        rows = list(touchstone.batch_items(batch))
    assert (broken["state"], broken["status"], broken["reason"]["code"]) == ("done", "unable", "unsupported")
    assert [(row["name"], row["report"]["status"]) for row in rows] == [
        ("a.jpg", "ok"), ("b.jpg", "ok"), ("c.jpg", "unable")
    ]  # fmt: skip


def test_what_was_accepted_is_scanned_though_the_service_was_killed(
    settings: Settings, tmp_path: Path
) -> None:
    photo = write_picture(tmp_path / "red.jpg", 6)
    with serving(settings, "--workers", "0") as (running, url), Client(url) as touchstone:
        accepted = touchstone.submit(photo)["id"]
        running.kill()
        running.wait()
    with serving(settings) as (_, url), Client(url) as touchstone:
        assert touchstone.wait(accepted)["verdict"] == "fake"


def test_small_answers_leave_at_once() -> None:
    # asyncio sets TCP_NODELAY where the protocol is named; else an answer waits 40 ms for the client.
    with listen("127.0.0.1", 0) as door:
        assert door.proto == socket.IPPROTO_TCP


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is told."""

    told: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_webhooks_are_sent_where_there_are_no_workers(settings: Settings) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{receiver.server_address[1]}/hook"
        with (
            serving(settings, "--workers", "0", webhook_private="true") as (_, url),
            Client(url) as touchstone,
        ):
            hook = touchstone.call("POST", "/v1/webhooks", json={"url": address})["id"]
            scan = touchstone.submit(b"bytes", webhook=hook)["id"]
            touchstone.call("POST", f"/v1/scans/{scan}/cancel")
            end = time.monotonic() + 60
            while not Receiver.told:
                assert time.monotonic() < end
                time.sleep(0.05)
        receiver.shutdown()
        thread.join()
    assert [(one["type"], one["data"]["id"]) for one in Receiver.told] == [("scan.cancelled", scan)]


def test_ctrl_c_ends_it_without_a_word(settings: Settings) -> None:
    with serving(settings, "--workers", "0") as (running, _):
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert (running.returncode, said) == (0, "")


def test_an_address_that_is_taken_is_one_line(settings: Settings, touchstone: Touchstone) -> None:
    with serving(settings, "--workers", "0") as (_, url):
        ran = touchstone("serve", "--port", url.rsplit(":", 1)[1])
    assert ran.code == 2
    assert "cannot be listened on" in ran.err
    assert ran.err.count("\n") == 1
