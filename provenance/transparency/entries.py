"""What the log holds: an entry a verdict, and one for each medium that a generator made.

Only what anybody may know: sha256 of the medium, of the report and of the models, the verdict, the time. No
name of a file, a person or a tenant; who has neither medium nor report learns nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from evidence.verdict import SCHEMA as REPORT_SCHEMA
from provenance.transparency.canonical import canonical, sha256_of

SCHEMA = "touchstone.log/1"
PROOF = "log"  # the part of a report's `provenance` that holds its proof, added after the report was hashed

Entry = dict[str, Any]


def entries_of(result: Mapping[str, Any], at: float) -> list[bytes]:
    """The entries for what came of a job's shard at a time: its reports, and what it made.

    A result that tells of no medium has none: a row without a file, a scan whose file could not be read.
    """
    reports = [result.get("report"), *result.get("rows", ())]
    found = [scanned(one, at) for one in reports if _is_of_a_medium(one)]
    found += [{**made, "time": _moment(at)} for made in result.get("made", ())]
    return [canonical(entry) for entry in found]


def scanned(report: Mapping[str, Any], at: float) -> Entry:
    """The entry for a report of a scan."""
    return {
        "schema": SCHEMA,
        "kind": "scan",
        "time": _moment(at),
        "media_sha256": report["media"]["sha256"],
        "report_sha256": report_sha256(report),
        "status": report["status"],
        "verdict": report["verdict"],
        "models": [_model(one["version"], one["sha256"]) for one in report["models"]],
    }


def generated(row: Mapping[str, Any]) -> Entry:
    """The entry for a medium that a generator made, from its row in the manifest; without the time."""
    return {
        "schema": SCHEMA,
        "kind": "generation",
        "media_sha256": row["sha256"],
        "origin_sha256": sha256_of(row),
        "models": [_model(row.get("version", ""), row["model_sha256"])],
    }


def report_sha256(report: Mapping[str, Any]) -> str:
    """The sha256 of a report without its own proof, in the one spelling of JSON that RFC 8785 gives it."""
    provenance = {name: part for name, part in report["provenance"].items() if name != PROOF}
    return sha256_of({**report, "provenance": provenance})


def media_in(entry: Mapping[str, Any]) -> tuple[str, str]:
    """What an entry can be found by: the sha256 of its medium, and of its report or its origin."""
    return entry["media_sha256"], entry.get("report_sha256") or entry["origin_sha256"]


def words(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an entry says, as named facts."""
    if entry["kind"] == "generation":
        yield "Says", "made by a generator of this service"
    else:
        yield "Says", entry["verdict"] or f"no verdict ({entry['status']})"
    yield "Time", entry["time"]
    yield "Medium", entry["media_sha256"]


def _is_of_a_medium(report: Any) -> bool:
    return (
        isinstance(report, Mapping)
        and report.get("schema") == REPORT_SCHEMA
        and bool(report.get("media", {}).get("sha256"))
    )


def _model(version: str, sha256: str) -> dict[str, str]:
    return {"version": version[:64], "sha256": sha256}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
