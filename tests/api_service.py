"""The API on a real socket, and a worker that is as quick as a test wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from evidence.verdict import Reason, Report
from touchstone.api.app import create_app
from touchstone.api.service import Service
from worker.decide import MEDIA_KEYS
from worker.embedded import EmbeddedRunner
from worker.jobs.model import Lease
from worker.settings import Settings

# A busy machine takes its time; what never comes fails all the same.
PATIENCE_SECONDS = 120.0


@dataclass
class Api:
    """A running API: its address, its parts, and a client without a key."""

    url: str
    service: Service
    http: httpx.Client
    report: Report

    def upload(self, data: bytes = b"a picture", name: str = "cat.jpg", **options: Any) -> httpx.Response:
        """POST /v1/scans of these bytes; `options` are fields of the form, `headers` is not."""
        headers = options.pop("headers", {})
        http = options.pop("http", self.http)
        return http.post("/v1/scans", files={"file": (name, data)}, data=options, headers=headers)

    def claim(self) -> Lease:
        """The next scan, as a worker takes it."""
        (lease,) = self.service.leases.claim("test", ["scan"])
        return lease

    def work_batch(self, *, dead: bool = False) -> None:
        """Do the next shard of a batch: the canned report for each item, or none if the worker dies."""
        (lease,) = self.service.leases.claim("test", ["batch"])
        if dead:
            self.service.leases.fail(lease, {"code": "worker_lost", "message": "It died."}, final=True)
            return
        rows = []
        for item in lease.payload["items"]:
            report = self.report if not item.get("problem") else _bad_row(item["problem"])
            plain = report.to_dict()
            rows.append(plain | {"media": plain["media"] | {"path": item["name"]}})
        assert self.service.leases.complete(lease, {"rows": rows})

    def work_generation(self) -> None:
        """Do the next generation: one file that is no picture."""
        (lease,) = self.service.leases.claim("test", ["generate"])
        self.service.media.artefact(lease.job, "one.png").write_bytes(b"one")
        files = [{"name": "one.png", "mime": "image/png", "size_bytes": 3}]
        assert self.service.leases.complete(lease, {"files": files})

    def work(self, lease: Lease | None = None, *, pictures: bool = True) -> str:
        """Do the next scan: the canned report, under the job's id and the client's name for it."""
        lease = lease or self.claim()
        report = self.report.to_dict() | {"id": lease.job}
        report["media"] = report["media"] | {"path": lease.payload["name"], "sha256": lease.payload["sha256"]}
        if pictures:
            for name in ("heat.png", "preview.jpg"):
                self.service.media.artefact(lease.job, name).write_bytes(name.encode())
        self.service.store.note(lease.job, "frame", {"done": 1, "of": 1})
        result = {"report": report, "heat": pictures, "preview": pictures}
        assert self.service.leases.complete(lease, result)
        return lease.job


def _bad_row(problem: str) -> Report:
    return Report("row", dict.fromkeys(MEDIA_KEYS), "unable", Reason("bad_row", problem))


@contextmanager
def running(settings: Settings, report: Report, *, workers: int = 0) -> Iterator[Api]:
    """The API of these settings on a free port of this machine, until the block is left.

    With `workers` these do what is asked; without, the test does.
    """
    app = create_app(settings, runner=EmbeddedRunner(settings, workers) if workers else None)
    config = uvicorn.Config(
        app, host=settings.host, port=0, log_level="critical", timeout_graceful_shutdown=1, lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < until, "the server did not start in time"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as http:
            yield Api(url, app.state.service, http, report)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer is, once it is sure that it is this one and whole."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["type"] == f"urn:touchstone:problem:{code}"
    assert "Traceback" not in answer.text
    return body
