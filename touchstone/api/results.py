"""What a scan left: its frames as a table, its pictures, its report for people, and the medium itself."""

from __future__ import annotations

import csv
import io
import logging
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from evidence.errors import NotThere
from evidence.verdict import Report
from provenance.signing import Statement, scan_data, sign_file
from provenance.transparency.entries import PROOF
from provenance.transparency.errors import LogError
from touchstone.api import views
from touchstone.api.access import Reading, Signing
from touchstone.api.beside import PREVIEW, beside_of, decoded
from touchstone.api.files import Sent
from touchstone.api.origin_schemas import LogProof
from touchstone.api.origins import SwitchedOff
from touchstone.api.schemas import FramePoint, Frames, KnownMedium, Sha256
from touchstone.api.service import Desk
from touchstone.report.html import HtmlOptions, HtmlWriter
from touchstone.report.item import ReportItem
from touchstone.report.jsonl import document_of
from touchstone.report.parquet import frames_parquet as table_of_frames
from touchstone.report.printed import pdf_of
from worker.signing import signing_key

log = logging.getLogger("touchstone.api")
router = APIRouter(prefix="/v1", tags=["results"])

# A page of ours may show these; anything else that was handed in is only ever saved.
_SHOWN = ("image/", "video/")
_PRIVATE = {"Cache-Control": "private, max-age=3600"}
# The report brings its own, stricter policy for scripts; it may not be more than a page.
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "frame-ancestors 'self'; sandbox allow-scripts"
)


def _file(description: str, *kinds: str) -> dict[int | str, dict[str, Any]]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": description, "content": {kind: binary for kind in kinds}}}


_DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The report.", "content": {"application/json": {"schema": {"type": "object"}}}}
}


@router.get("/scans/{scan}/frames.json")
def frames_json(desk: Reading, scan: str) -> Frames:
    """Every sampled frame with its score; none of a still picture."""
    report = _report(desk, scan)
    items = [FramePoint(t=p.t, frame=p.frame, fake_probability=p.fake_probability) for p in report.timeline]
    parts = [
        {"start": part.start, "end": part.end, "fake_probability": part.fake_probability}
        for part in report.segments
    ]
    return Frames(items=items, segments=parts)


@router.get("/scans/{scan}/frames.csv", response_class=Response, responses=_file("The table.", "text/csv"))
def frames_csv(desk: Reading, scan: str) -> Response:
    """The same as CSV: t, frame, fake_probability."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("t", "frame", "fake_probability"))
    table.writerows((p.t, p.frame, p.fake_probability) for p in _report(desk, scan).timeline)
    return Response(
        text.getvalue(), media_type="text/csv; charset=utf-8", headers=_saved(f"{scan}-frames.csv")
    )


@router.get(
    "/scans/{scan}/frames.parquet",
    response_class=Response,
    responses=_file("The table.", "application/vnd.apache.parquet"),
)
def frames_parquet(desk: Reading, scan: str) -> Response:
    """The same as Parquet; needs pyarrow on the server."""
    return Response(
        table_of_frames(_report(desk, scan)),
        media_type="application/vnd.apache.parquet",
        headers=_saved(f"{scan}-frames.parquet"),
    )


@router.get("/scans/{scan}/heat.png", response_class=Response, responses=_file("The overlay.", "image/png"))
def heat(desk: Reading, scan: str) -> Sent:
    """Where the picture reads as fake, to be laid over the preview."""
    return Sent(_artefact(desk, scan, "heat.png"), media_type="image/png", headers=_PRIVATE)


@router.get("/scans/{scan}/preview.jpg", response_class=Response, responses=_file("It.", "image/jpeg"))
def preview(desk: Reading, scan: str) -> Sent:
    """The picture, or the frame of a video that reads most as fake, at most 1024 pixels a side."""
    return Sent(_artefact(desk, scan, "preview.jpg"), media_type="image/jpeg", headers=_PRIVATE)


@router.get(
    "/scans/{scan}/media",
    response_class=Response,
    responses={
        **_file("The medium, byte for byte.", "image/*", "video/*", "application/octet-stream"),
        206: {"description": "The part that `Range` names."},
    },
)
def media(desk: Reading, scan: str) -> Sent:
    """The medium as it was handed in; `Range` is honoured."""
    job = desk.job(scan, "scan")
    shard = desk.first_shard(job)
    report = ((shard.result if shard else None) or {}).get("report") or {}
    mime = str((report.get("media") or {}).get("mime") or "")
    shown = mime.startswith(_SHOWN)
    return Sent(
        desk.service.media.path(desk.sum_of(job)),
        media_type=mime if shown else "application/octet-stream",
        headers=_PRIVATE | {"Content-Disposition": "inline" if shown else "attachment"},
    )


@router.get("/scans/{scan}/report.json", response_class=Response, responses=_DOCUMENT)
def report_json(desk: Reading, scan: str) -> Response:
    """The report as a document: `touchstone.scan/1`, as the command line writes it, with its proof."""
    text = document_of(_carrying(desk, _report(desk, scan)))
    return Response(text, media_type="application/json", headers=_saved(f"{scan}.json"))


@router.post(
    "/scans/{scan}/report.signed.zip",
    response_class=Response,
    responses=_file("Report and signature.", "application/zip"),
)
def report_signed(desk: Signing, scan: str) -> Response:
    """The report as a document, with its proof, and Content Credentials about it by the service's key.

    Two files in a ZIP: the bytes that are signed, and the signature as NAME.c2pa, which `touchstone verify`
    and other tools of C2PA read. Only where the operator switched signing on, for keys of the scope `sign`.
    """
    if not desk.service.settings.signing:
        raise SwitchedOff(
            "This service does not sign.",
            "TOUCHSTONE_SIGNING=true switches it on; `touchstone sign REPORT --as report` signs a report.",
        )
    report = _carrying(desk, _report(desk, scan))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{scan}.json"
        path.write_text(document_of(report), encoding="utf-8")
        signed = path.with_name(f"{path.name}.c2pa")
        statement = Statement("report", path.name, found=(scan_data(report.to_dict()),))
        sign_file(path, signed, statement, signing_key(desk.service.settings))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for one in (path, signed):
                archive.write(one, one.name)
    log.info("%s had the report of scan %s signed", desk.tenant, scan)
    return Response(packed.getvalue(), media_type="application/zip", headers=_saved(f"{scan}.signed.zip"))


@router.get("/scans/{scan}/proof.json")
def proof_json(desk: Reading, scan: str) -> LogProof:
    """The proof that the transparency log holds this scan's verdict; reports carry the same."""
    carrying = _carrying(desk, _report(desk, scan))
    if PROOF not in carrying.provenance:
        raise NotThere(f"The log has no entry of the scan {scan}.", "It was made while the log was off.")
    return LogProof(**carrying.provenance[PROOF])


@router.get("/scans/{scan}/report.html", response_class=HTMLResponse)
def report_html(desk: Reading, scan: str) -> HTMLResponse:
    """The report as one page without any link to elsewhere, to be kept or sent on."""
    report = _carrying(desk, _report(desk, scan))
    item = _item(desk, scan, report)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        with HtmlWriter(path, HtmlOptions(title="Scan report")) as writer:
            writer.add(item)
        text = path.read_text(encoding="utf-8")
    return HTMLResponse(text, headers={"Content-Security-Policy": _REPORT_POLICY})


@router.get("/scans/{scan}/report.pdf", response_class=Response, responses=_file("It.", "application/pdf"))
def report_pdf(desk: Reading, scan: str) -> Response:
    """The report to be printed and filed: A4, tagged, PDF/A-3a; needs WeasyPrint on the server."""
    made = pdf_of(_item(desk, scan, _report(desk, scan)))
    return Response(made, media_type="application/pdf", headers=_saved(f"{scan}.pdf"))


@router.get("/media/{sha256}")
@router.head("/media/{sha256}", include_in_schema=False)
def known_medium(desk: Reading, sha256: Sha256) -> KnownMedium:
    """Whether this tenant handed in a medium before, and the scans of it: no upload is needed then."""
    path = desk.medium(sha256)
    found = [(job, desk.first_shard(job)) for job in desk.jobs_with(sha256) if job.kind == "scan"]
    return KnownMedium(sha256=sha256, size_bytes=path.stat().st_size, scans=views.summaries(desk, found))


def _report(desk: Desk, scan: str) -> Report:
    shard = desk.first_shard(desk.job(scan, "scan"))
    plain = ((shard.result if shard else None) or {}).get("report")
    if plain is None:
        raise NotThere(f"The scan {scan} has no report.", "Wait for its end; of a failed one there is none.")
    return Report.from_dict(plain)


def _carrying(desk: Desk, report: Report) -> Report:
    """The report with its proof, if the log holds it; a log that cannot be signed keeps no report back."""
    try:
        return desk.service.logbook.carrying(report)
    except LogError as error:
        log.error("%s", error)
        return report


def _item(desk: Desk, scan: str, report: Report) -> ReportItem:
    job = desk.job(scan, "scan")
    preview = decoded(desk.service.media.artefact(job.id, PREVIEW))
    return ReportItem(report, preview, _heat(report), beside=beside_of(desk, job, report))


def _artefact(desk: Desk, scan: str, name: str) -> Path:
    path = desk.service.media.artefact(desk.job(scan, "scan").id, name)
    if not path.is_file():
        raise NotThere(f"The scan {scan} has no {name}.", "Its `links` say what there is.")
    return path


def _heat(report: Report) -> Any:
    return None if report.heatmap is None else np.array(report.heatmap, np.float32)  # None becomes nan


def _saved(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
