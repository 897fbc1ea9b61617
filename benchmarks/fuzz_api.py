"""Requests that the API's own description allows and forbids, to a service that runs: nothing may break.

    python -m benchmarks.fuzz_api --cases 50000

Half of them each for itself, half in stories, where one works on what another made. What comes back must be
no 5xx and keep to docs/openapi.json, in status, content type and schema.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
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
CALL: dict[str, Any] = {"timeout": 30, "headers": {"Prefer": "wait=0"}}
_STORIES = 50  # of one seed
Known = Mapping[str, Sequence[str]]


def main(arguments: list[str] | None = None) -> int:
    """Fuzz a fresh service and print what came back; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000, help="requests in all")
    parser.add_argument("--stories", type=float, default=0.5, help="their share that follow each other")
    parser.add_argument("--seed", type=int, default=0, help="other requests, for another number")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as url:
        with Client(url) as touchstone:
            known = _populate(touchstone, Path(folder))
            operations = len(operations_of(touchstone.call("GET", "/openapi.json")))
        told = round(given.cases * given.stories)
        began = time.monotonic()
        alone = fuzz(url, known, examples=-(-(given.cases - told) // operations), start=given.seed)
        _say(f"to {operations} operations, each for itself", alone, began)
        began = time.monotonic()
        _say("in stories, each with what the ones before it made", tell(url, known, told, given.seed), began)
    return 0


def operations_of(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(method, path) of every operation of an OpenAPI document."""
    return [(method.upper(), path) for path, found in document["paths"].items() for method in found]


def fuzz(url: str, known: Known, *, examples: int, start: int = 0) -> Counter[str]:
    """`examples` requests to every operation; how many answers of each status class came back.

    Half of the ids and models are those in `known`, by the names of their fields. Raises what schemathesis
    finds.
    """
    statuses: Counter[str] = Counter()
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for result in schema.get_all_operations():
        operation: Any = result  # a description that schemathesis cannot read has no `ok`, and fails here
        _fuzz_one(operation.ok(), known, statuses, examples, start)
    return statuses


def tell(url: str, known: Known, requests: int, start: int = 0, steps: int = 40) -> Counter[str]:
    """At least so many requests in stories of up to `steps`: make, ask, cancel, delete in any order.

    What a story may go on with follows from the description: an `id` that one answer gave is the path of the
    next. Three of four requests name a model, a medium or a picture that is there. Raises what schemathesis
    finds.
    """
    statuses: Counter[str] = Counter()
    picks = itertools.count()
    faults: list[BaseException] = []
    machine = schemathesis.openapi.from_url(f"{url}/openapi.json").as_state_machine()

    class Story(machine):  # type: ignore[misc, valid-type]
        def before_call(self, case: Case[Any]) -> None:
            _not_forever(case)
            pick = next(picks)
            if pick % 4:
                _answerable(case, known, pick)

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            return CALL

        def after_call(self, response: Any, case: Case[Any]) -> None:
            statuses[f"{response.status_code // 100}xx"] += 1

        def validate_response(self, response: Any, case: Case[Any], *_: Any, **__: Any) -> None:
            try:
                case.validate_response(response, checks=CHECKS)
            except BaseException as found:
                faults.append(found)
                raise

    for round_ in itertools.count(start):
        if statuses.total() >= requests:
            return statuses
        seed(round_)(Story)
        # A service remembers, so a story told again may go another way: that alone is no fault of it.
        with suppress(Flaky):
            Story.run(settings=_settings(max_examples=_STORIES, stateful_step_count=steps))
        if faults:
            raise faults[0]
    raise AssertionError


def _fuzz_one(operation: Any, known: Known, statuses: Counter[str], examples: int, start: int) -> None:
    @seed(start)
    @_settings(max_examples=examples)
    @given(case=operation.as_strategy(), real=st.booleans(), pick=st.integers(0, 99))
    def one(case: Case[Any], real: bool, pick: int) -> None:
        if real:
            _familiar(case.path_parameters or {}, known, pick)
            _answerable(case, known, pick)
        _not_forever(case)
        answer = case.call(**CALL)
        statuses[f"{answer.status_code // 100}xx"] += 1
        case.validate_response(answer, checks=CHECKS)

    one()


def _settings(**more: Any) -> settings:
    checks = list(HealthCheck)
    return settings(
        deadline=None, database=None, phases=[Phase.generate], suppress_health_check=checks, **more
    )


def _familiar(fields: dict[str, Any], known: Known, pick: int) -> None:
    """Names of things that are there, in place of those that were drawn."""
    for name in known.keys() & fields.keys():
        fields[name] = known[name][pick % len(known[name])]


def _answerable(case: Case[Any], known: Known, pick: int) -> None:
    """A body that names what is there: generators to make something, of scans the detector there is."""
    if not isinstance(case.body, dict):
        return
    if case.path.startswith("/v1/generations"):
        _familiar(case.body, known, pick)
        return
    for name in ("model", "webhook"):
        case.body.pop(name, None)
    _familiar(case.body, {name: known[name] for name in ("sha256",)}, pick)


def _not_forever(case: Case[Any]) -> None:
    """Of what has not ended, a stream of events stays open on purpose; here it is asked for what is past."""
    if case.path.endswith("/events"):
        case.query = {**(case.query or {}), "after": 10**9}


def _say(what: str, statuses: Counter[str], began: float) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    print(f"{statuses.total()} requests {what}, in {time.monotonic() - began:.0f} s: {counts}", flush=True)


def _populate(touchstone: Client, folder: Path) -> dict[str, list[str]]:
    """A scan and a batch of a photograph that are done, and a scan of what is none."""
    path = folder / "photo.jpg"
    cv2.imwrite(str(path), photo_like(256, 256, 1)[:, :, ::-1])
    done = touchstone.scan(path)
    broken = touchstone.scan(b"no picture", name="notes.txt")
    batch = touchstone.batch([{"sha256": done["sha256"]}, {"sha256": "0" * 64}])
    made = touchstone.call("POST", "/v1/generations", json={"model": "cgan-mnist"}, headers=WAITING)
    hook = touchstone.call("POST", "/v1/webhooks", json={"url": "https://example.org/hook"})
    return {
        "scan": [done["id"], broken["id"]],
        "batch": [batch["id"]],
        "sha256": [done["sha256"]],
        "generation": [made["id"]],
        "webhook": [hook["id"]],
        "model": ["cgan-mnist", "reconstruction-haar-x4", "outpainting-photos", "dr-gan-faces"],
        "input": [[{"sha256": done["sha256"], "name": "photo.jpg"}]],
        "file": [file["name"] for file in made["files"]],
    }


if __name__ == "__main__":
    sys.exit(main())
