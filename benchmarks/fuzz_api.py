"""Requests that the API's own description allows and forbids, to a service that runs: nothing may break.

    python -m benchmarks.fuzz_api --cases 50000

What comes back must be no 5xx and keep to docs/openapi.json, in status, content type and schema.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.media import photo_like
from benchmarks.services import serving
from touchstone.client import Client

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
WAITING = {"Prefer": "wait=30"}
Known = Mapping[str, Sequence[str]]


def main(arguments: list[str] | None = None) -> int:
    """Fuzz a fresh service and print what came back; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000, help="requests in all")
    parser.add_argument("--seed", type=int, default=0, help="other requests, for another number")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as url:
        with Client(url) as touchstone:
            known = _populate(touchstone, Path(folder))
            operations = len(operations_of(touchstone.call("GET", "/openapi.json")))
        began = time.monotonic()
        statuses = fuzz(url, known, examples=-(-given.cases // operations), start=given.seed)
        seconds = time.monotonic() - began
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    print(f"{statuses.total()} requests to {operations} operations in {seconds:.0f} s: {counts}")
    return 0


def operations_of(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(method, path) of every operation of an OpenAPI document."""
    return [(method.upper(), path) for path, found in document["paths"].items() for method in found]


def fuzz(url: str, known: Known, *, examples: int, start: int = 0) -> Counter[str]:
    """`examples` requests to every operation; how many answers of each status class came back.

    Half of the ids are those in `known`, by the name of their path parameter. Raises what schemathesis finds.
    """
    statuses: Counter[str] = Counter()
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for result in schema.get_all_operations():
        operation: Any = result  # a description that schemathesis cannot read has no `ok`, and fails here
        _fuzz_one(operation.ok(), known, statuses, examples, start)
    return statuses


def _fuzz_one(operation: Any, known: Known, statuses: Counter[str], examples: int, start: int) -> None:
    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), real=st.booleans(), pick=st.integers(0, 99))
    def one(case: Case[Any], real: bool, pick: int) -> None:
        parameters = case.path_parameters or {}
        for name in known.keys() & parameters.keys() if real else ():
            parameters[name] = known[name][pick % len(known[name])]
        if case.path.endswith("/events"):  # of what has not ended, a stream stays open on purpose
            case.query = {**(case.query or {}), "after": 10**9}
        answer = case.call(timeout=30, headers={"Prefer": "wait=0"})
        statuses[f"{answer.status_code // 100}xx"] += 1
        case.validate_response(answer, checks=CHECKS)

    one()


def _populate(touchstone: Client, folder: Path) -> dict[str, list[str]]:
    """A scan and a batch of a photograph that are done, and a scan of what is none."""
    path = folder / "photo.jpg"
    cv2.imwrite(str(path), photo_like(256, 256, 1)[:, :, ::-1])
    done = touchstone.scan(path)
    broken = touchstone.scan(b"no picture", name="notes.txt")
    batch = touchstone.batch([{"sha256": done["sha256"]}, {"sha256": "0" * 64}])
    made = touchstone.call("POST", "/v1/generations", json={"model": "cgan-mnist"}, headers=WAITING)
    return {
        "scan": [done["id"], broken["id"]],
        "batch": [batch["id"]],
        "sha256": [done["sha256"]],
        "generation": [made["id"]],
        "file": [file["name"] for file in made["files"]],
    }


if __name__ == "__main__":
    sys.exit(main())
