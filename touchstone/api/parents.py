"""What a scanned medium was made from: the picture that its manifest holds, and where it differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fastapi import APIRouter, Response

from evidence.errors import NotThere
from evidence.files import write_whole
from evidence.medium import Pixels
from provenance.parents import difference
from touchstone.api.access import Reading
from touchstone.api.files import Sent
from touchstone.api.handing import asked
from touchstone.api.origin_schemas import Differs, ScanParent
from touchstone.api.service import Desk
from worker.pictures import preview_jpg, shrunk

router = APIRouter(prefix="/v1/scans", tags=["provenance"])

PARENT, PREVIEW = "parent.jpg", "preview.jpg"
MOST_SIDE = 1024
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "It.",
        "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/{scan}/parent")
async def scan_parent(desk: Reading, scan: str) -> ScanParent:
    """What the medium was made from, by its own Content Credentials, if these hold a picture of it.

    `differs` is null where the two have different shapes, as after a crop.
    """
    return await asked(desk, lambda: _parent(desk, scan))


@router.get("/{scan}/parent.jpg", response_class=Response, responses=_PICTURE)
async def scan_parent_picture(desk: Reading, scan: str) -> Sent:
    """The picture of it, at most 1024 pixels a side."""
    await asked(desk, lambda: _parent(desk, scan))
    path = desk.service.media.artefact(desk.job(scan, "scan").id, PARENT)
    return Sent(path, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _parent(desk: Desk, scan: str) -> ScanParent:
    """The parent, its picture on disk."""
    job = desk.job(scan, "scan")
    shard = desk.first_shard(job)
    title = _title_in(((shard.result if shard else None) or {}).get("report") or {})
    if title is None:
        raise NotThere(f"The scan {scan} has no parent.", "Its Content Credentials name none.")
    media = desk.service.media
    place = media.artefact(job.id, PARENT)
    if not place.is_file():
        found = desk.service.origins.parent(media.path(desk.sum_of(job)), media)
        if found is None:
            raise NotThere(
                f"The scan {scan} has no picture of its parent.", "Its manifest names it, and holds none."
            )
        write_whole(place, preview_jpg(shrunk(found, MOST_SIDE)))
    before, after = _decoded(place), _decoded(media.artefact(job.id, PREVIEW))
    assert before is not None
    apart = None if after is None else difference(after, before)
    return ScanParent(
        title=title,
        url=f"/v1/scans/{job.id}/{PARENT}",
        width=before.shape[1],
        height=before.shape[0],
        differs=None if apart is None else Differs(share=apart.share, box=apart.box),
    )


def _title_in(report: dict[str, Any]) -> str | None:
    """What a report's manifest calls the medium's parent; None where it has none."""
    manifest = ((report.get("provenance") or {}).get("c2pa") or {}).get("manifest") or {}
    parents = (one for one in manifest.get("ingredients", ()) if one["relationship"] == "parentOf")
    found = next(parents, None)
    return None if found is None else str(found["title"])


def _decoded(path: Path) -> Pixels | None:
    """A picture that we wrote."""
    if not path.is_file():
        return None
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if pixels is None else np.asarray(pixels, np.uint8)
