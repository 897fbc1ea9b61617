"""How fast uploads are accepted: from the first byte sent to the answer that says they are on disk.

    python -m benchmarks.accepts

The client is a process of its own on the same machine, and costs as much as it costs there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.services import serving

SIZE_BYTES = 2_000  # small, so that what is measured is the service and not the disk's throughput


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a line for each number of connections; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=1_000, help="uploads a measurement")
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 4, 16], help="clients at a time")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), "--workers", "0") as url:
        for connections in given.connections:
            seconds, each = asyncio.run(_upload(url, given.uploads, connections))
            print(
                f"{connections:3d} connections: {given.uploads / seconds:6.0f} accepts/s, "
                f"p50 {1e3 * quantile(each, 0.5):6.1f} ms, p99 {1e3 * quantile(each, 0.99):6.1f} ms"
            )
    return 0


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def _upload(url: str, count: int, connections: int) -> tuple[float, list[float]]:
    """The seconds that `count` different uploads took together, and each of them."""
    each: list[float] = []
    numbers = iter(range(count))

    async def client() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            for _ in numbers:
                began = time.perf_counter()
                answer = await http.post("/v1/scans", files={"file": ("a.jpg", os.urandom(SIZE_BYTES))})
                each.append(time.perf_counter() - began)
                answer.raise_for_status()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    return time.perf_counter() - began, each


if __name__ == "__main__":
    sys.exit(main())
