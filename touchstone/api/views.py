"""Jobs in the words of the API: what a client sees of a scan, a batch or a generation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from touchstone.api.schemas import Priority, Progress, Said, Scan, ScanSummary, moment
from touchstone.api.service import Desk
from touchstone.report.batch import reason_of
from worker.jobs.model import Job, JobState, Shard, ShardState
from worker.jobs.search import newest_progress

PRIORITIES: tuple[Priority, ...] = ("live", "batch", "low")


def scan(desk: Desk, job: Job, shard: Shard | None) -> Scan:
    """A scan with its report."""
    return Scan(**_scan(job, shard, _progress(desk, [job])), report=_report(shard))


def summaries(desk: Desk, found: list[tuple[Job, Shard | None]]) -> list[ScanSummary]:
    """Scans for a list."""
    progress = _progress(desk, [job for job, _ in found])
    return [ScanSummary(**_scan(job, shard, progress)) for job, shard in found]


def failure(shard: Shard | None) -> Said | None:
    """Why a shard is dead, if it is."""
    if shard is None or shard.state is not ShardState.DEAD:
        return None
    reason = reason_of(shard.cause)
    return Said(code=reason.code, message=reason.message)


def _scan(job: Job, shard: Shard | None, progress: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    report = _report(shard) or {}
    known = progress.get(job.id)
    media = report.get("media") or {}  # of a medium that was fetched, the report alone knows
    return {
        "id": job.id,
        "state": job.state.value,
        "created": moment(job.created),
        "finished": None if job.finished is None else moment(job.finished),
        "name": job.request["name"],
        "sha256": job.request["sha256"] or media.get("sha256") or "",
        "size_bytes": job.request["size_bytes"] or media.get("size_bytes") or 0,
        "client_ref": job.client_ref,
        "priority": PRIORITIES[job.lane],
        "progress": Progress(done=known["done"], of=known["of"]) if known else None,
        **{
            name: report.get(name) for name in ("status", "verdict", "fake_probability", "interval", "reason")
        },
        "error": failure(shard),
        "links": _links(job, shard, report),
    }


def _links(job: Job, shard: Shard | None, report: Mapping[str, Any]) -> dict[str, str | None]:
    own = f"/v1/scans/{job.id}"
    result = (shard.result if shard is not None else None) or {}
    there = {
        "self": True,
        "events": True,
        "media": bool(job.request["sha256"] or (report.get("media") or {}).get("sha256")),
        "cancel": not job.state.ended,
        "rerun": job.state.ended,
        "report_html": bool(report),
        "report_json": bool(report),
        "report_pdf": bool(report) and find_spec("weasyprint") is not None,
        "frames_json": bool(report.get("timeline")),
        "frames_csv": bool(report.get("timeline")),
        "frames_parquet": bool(report.get("timeline")) and find_spec("pyarrow") is not None,
        "heat": bool(result.get("heat")),
        "preview": bool(result.get("preview")),
    }
    return {
        name: own + _ENDINGS.get(name, f"/{name}") if is_there else None for name, is_there in there.items()
    }


_ENDINGS = {
    "self": "",
    "report_html": "/report.html",
    "report_json": "/report.json",
    "report_pdf": "/report.pdf",
    "frames_json": "/frames.json",
    "frames_csv": "/frames.csv",
    "frames_parquet": "/frames.parquet",
    "heat": "/heat.png",
    "preview": "/preview.jpg",
}


def _report(shard: Shard | None) -> dict[str, Any] | None:
    report = ((shard.result if shard is not None else None) or {}).get("report")
    return dict(report) if report is not None else None


def _progress(desk: Desk, jobs: list[Job]) -> Mapping[str, Mapping[str, Any]]:
    running = [job.id for job in jobs if job.state is JobState.RUNNING]
    return newest_progress(desk.store.engine, running) if running else {}
