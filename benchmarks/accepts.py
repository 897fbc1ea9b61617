"""How fast uploads are accepted: from the first byte sent to the answer that says they are on disk.

    python -m benchmarks.accepts

The client is a process of its own on the same machine and shares its cores, so it is as lean as Python
allows: prepared bytes over plain sockets that are kept open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.machine import machine
from benchmarks.services import serving_process

SIZE_BYTES = 2_000  # small, so that what is measured is the service and not the disk's throughput
_EDGE = b"------------------------touchstone"


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a line for each number of connections; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=5_000, help="uploads a measurement")
    parser.add_argument(
        "--connections", type=int, nargs="*", default=[1, 4, 16, 64], help="clients at a time"
    )
    parser.add_argument(
        "--data", type=Path, help="a folder on the disk to measure; default: the temporary one"
    )
    parser.add_argument("--body", action="store_true", help="the medium alone, not in a form")
    parser.add_argument("options", nargs="*", help="further options of `touchstone serve`, after --")
    given = parser.parse_args(arguments)
    print(json.dumps(machine()))
    for connections in given.connections:
        with (
            tempfile.TemporaryDirectory(dir=given.data) as folder,
            serving_process(Path(folder), "--workers", "0", *given.options) as (url, service),
        ):
            make = body_request if given.body else form_request
            asyncio.run(upload(url, 20, 1, make))  # the first ones pay for imports and tables
            began, served = time.process_time(), _processor_seconds(service)
            seconds, each = asyncio.run(upload(url, given.uploads, connections, make))
            client = (time.process_time() - began) / given.uploads
            served = (_processor_seconds(service) - served) / given.uploads
        print(
            f"{connections:3d} connections: {given.uploads / seconds:6.0f} accepts/s, "
            f"p50 {1e3 * quantile(each, 0.5):6.1f} ms, p99 {1e3 * quantile(each, 0.99):6.1f} ms, "
            f"{1e3 * served:.2f} ms of a core each, {1e3 * client:.2f} ms for the client",
            flush=True,
        )
    return 0


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def upload(
    url: str, count: int, connections: int, make: Callable[[str, bytes], bytes] | None = None
) -> tuple[float, list[float]]:
    """The seconds that `count` different uploads took together, and each of them."""
    each: list[float] = []
    numbers = iter(range(count))
    address = urlsplit(url)
    assert address.hostname is not None

    async def client() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for _ in numbers:
            request = (make or form_request)(address.netloc, os.urandom(SIZE_BYTES))
            began = time.perf_counter()
            writer.write(request)
            await accepted(reader)
            each.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    return time.perf_counter() - began, each


def form_request(host: str, data: bytes) -> bytes:
    """POST /v1/scans of a file as browsers and curl send it."""
    body = (
        b"--" + _EDGE + b'\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n--" + _EDGE + b"--\r\n"
    )
    return (
        b"POST /v1/scans HTTP/1.1\r\nHost: " + host.encode() + b"\r\nAccept: */*\r\n"
        b"Content-Type: multipart/form-data; boundary=" + _EDGE + b"\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


def body_request(host: str, data: bytes) -> bytes:
    """POST /v1/scans of a file and nothing else."""
    return (
        b"POST /v1/scans?name=a.jpg HTTP/1.1\r\nHost: " + host.encode() + b"\r\nAccept: */*\r\n"
        b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    )


async def accepted(reader: asyncio.StreamReader) -> bytes:
    """The body of an answer, which must be 202."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 202"):
        raise RuntimeError(f"An upload was not accepted: {body.decode()}")
    return body


def _processor_seconds(process: int) -> float:
    """What a process has used of the processor so far."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
