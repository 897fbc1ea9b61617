"""A scanned medium beside the pictures that its manifest holds, and where it differs from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, Response

from evidence.errors import MediaError, NoSuchMedium, NotThere
from evidence.files import write_whole
from evidence.medium import Pixels
from evidence.thumbnails import preview_jpg, shrunk
from evidence.verdict import Report
from provenance.beside import Kind
from touchstone.api.access import Reading
from touchstone.api.files import Sent
from touchstone.api.handing import asked
from touchstone.api.origin_schemas import Differs, ScanBeside
from touchstone.api.service import Desk
from touchstone.report.beside import Beside, beside
from worker.jobs.model import Job

router = APIRouter(prefix="/v1/scans", tags=["provenance"])

PREVIEW = "preview.jpg"
MOST_SIDE = 1024
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "It.",
        "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_MISSING: dict[Kind, str] = {
    "parent": "Its Content Credentials name no parent, or hold no picture of it.",
    "signed": "It was not changed after it was signed, or its Content Credentials hold no picture of it.",
}


@router.get("/{scan}/parent")
async def scan_parent(desk: Reading, scan: str) -> ScanBeside:
    """What the medium was made from, by its own Content Credentials, if these hold a picture of it.

    `differs` is null where the two have different shapes, as after a crop.
    """
    return await asked(desk, lambda: _shown(desk, scan, "parent"))


@router.get("/{scan}/parent.jpg", response_class=Response, responses=_PICTURE)
async def scan_parent_picture(desk: Reading, scan: str) -> Sent:
    """The picture of it, at most 1024 pixels a side."""
    return await asked(desk, lambda: _picture(desk, scan, "parent"))


@router.get("/{scan}/signed")
async def scan_signed(desk: Reading, scan: str) -> ScanBeside:
    """Of a medium that was changed after it was signed: what it was then, if its manifest holds a picture."""
    return await asked(desk, lambda: _shown(desk, scan, "signed"))


@router.get("/{scan}/signed.jpg", response_class=Response, responses=_PICTURE)
async def scan_signed_picture(desk: Reading, scan: str) -> Sent:
    """The picture of it, at most 1024 pixels a side."""
    return await asked(desk, lambda: _picture(desk, scan, "signed"))


def beside_of(desk: Desk, job: Job, report: Report) -> tuple[Beside, ...]:
    """The pictures beside a scan for its report; none where its medium is gone."""
    try:
        return _found(desk, job, report.provenance)
    except (MediaError, NoSuchMedium):
        return ()


def decoded(path: Path) -> Pixels | None:
    """A picture that we wrote; None where there is none."""
    if not path.is_file():
        return None
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _shown(desk: Desk, scan: str, kind: Kind) -> ScanBeside:
    """One of them, its picture on disk."""
    job = desk.job(scan, "scan")
    shard = desk.first_shard(job)
    report = ((shard.result if shard else None) or {}).get("report") or {}
    for one in _found(desk, job, report.get("provenance") or {}, only=kind):
        return ScanBeside(
            title=one.title,
            url=f"/v1/scans/{job.id}/{kind}.jpg",
            width=one.pixels.shape[1],
            height=one.pixels.shape[0],
            differs=Differs.of(one.differs),
        )
    raise NotThere(f"The scan {scan} has no such picture.", _MISSING[kind])


def _picture(desk: Desk, scan: str, kind: Kind) -> Sent:
    _shown(desk, scan, kind)
    path = desk.service.media.artefact(desk.job(scan, "scan").id, f"{kind}.jpg")
    return Sent(path, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _found(
    desk: Desk, job: Job, provenance: Mapping[str, Any], only: Kind | None = None
) -> tuple[Beside, ...]:
    media = desk.service.media

    def find(kind: Kind) -> Pixels | None:
        if only not in (None, kind):
            return None
        place = media.artefact(job.id, f"{kind}.jpg")
        if not place.is_file():
            found = desk.service.origins.beside(media.path(desk.sum_of(job)), kind)
            if found is None:
                return None
            write_whole(place, preview_jpg(shrunk(found, MOST_SIDE)))
        return decoded(place)

    return beside(provenance, decoded(media.artefact(job.id, PREVIEW)), find)
