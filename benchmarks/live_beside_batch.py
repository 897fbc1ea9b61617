"""How long a person waits for a photograph while an archive is scanned beside, against an idle service.

    python -m benchmarks.live_beside_batch --uploads 60 --files 4000

One service, first idle, then with a batch of small files that outlasts the uploads; each upload is sent when
the one before has its verdict, a moment later. Cancelling the batch and the first event are timed at the end.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.accepts import quantile
from benchmarks.machine import machine
from benchmarks.media import photo_like, small_jpegs
from benchmarks.services import serving
from evidence.jpeg import encode_jpeg

PHOTO = (900, 1200)
PAUSE_SECONDS = 0.5  # between a verdict and the next upload, at most


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=60)
    parser.add_argument("--files", type=int, default=4_000, help="files of the batch")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = folder / "archive"
        small_jpegs(media, given.files)
        arguments = ["--workers", str(given.workers), "--folder", str(media)]
        with serving(folder, *arguments) as url, httpx.Client(base_url=url, timeout=60) as http:
            _upload(http, 0)  # the worker is there
            idle = [_upload(http, seed) for seed in range(1, given.uploads + 1)]
            batch = http.post("/v1/batches", json={"folder": str(media)}).raise_for_status().json()["id"]
            _until_running(http, batch)
            busy = [_upload(http, 1_000 + seed) for seed in range(given.uploads)]
            still = http.get(f"/v1/batches/{batch}").json()
            first = _first_event(http)
            began = time.perf_counter()
            http.post(f"/v1/batches/{batch}/cancel").raise_for_status()
            _upload(http, 5_000)
            cancelled = time.perf_counter() - began
    for said, each in (("idle", idle), ("beside a batch", busy)):
        print(f"{said:15s} p50 {1e3 * quantile(each, 0.5):5.0f} ms, p95 {1e3 * quantile(each, 0.95):5.0f} ms")
    print(
        f"p95 {quantile(busy, 0.95) / quantile(idle, 0.95) - 1:+.0%}; the batch was {still['state']} at its "
        f"end; first event after {1e3 * first:.0f} ms; cancelled, and the next upload done, {cancelled:.2f} s"
    )
    return 0


def _upload(http: httpx.Client, seed: int) -> float:
    """Seconds from the first byte of a photograph to its verdict."""
    data = encode_jpeg(photo_like(*PHOTO, seed), 90)
    time.sleep(random.Random(seed).uniform(0, PAUSE_SECONDS))
    began = time.perf_counter()
    answer = http.post("/v1/scans", files={"file": ("a.jpg", data)}, headers={"Prefer": "wait=30"})
    seconds = time.perf_counter() - began
    assert answer.status_code == 200, answer.text
    return seconds


def _until_running(http: httpx.Client, batch: str) -> None:
    while http.get(f"/v1/batches/{batch}").json()["state"] == "queued":
        time.sleep(0.1)


def _first_event(http: httpx.Client) -> float:
    """Seconds from the acceptance of a photograph until its stream tells that it is worked on."""
    scan = http.post("/v1/scans", files={"file": ("b.jpg", encode_jpeg(photo_like(*PHOTO, 77), 90))}).json()
    began = time.perf_counter()
    with http.stream("GET", f"/v1/scans/{scan['id']}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: running"):
                break
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
