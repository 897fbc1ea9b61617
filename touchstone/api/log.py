"""The transparency log over HTTP: its head, proofs, and the tiles that anybody with a key may mirror.

Hashes are for everybody with a key; entries, which tell a medium's owner that it was scanned here, for the
administrator, and for each tenant those of their own jobs: `GET /v1/log/entries?sha256=`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse

from evidence.errors import NotThere
from provenance.transparency.folder import bundle
from provenance.transparency.merkle import HASH_BYTES
from provenance.transparency.notes import peek
from provenance.transparency.tiles import WIDTH, widths
from touchstone.api.access import Reading
from touchstone.api.origin_schemas import LogConsistency, LogProof, LogProofs, LogState
from touchstone.api.service import Desk

router = APIRouter(prefix="/v1/log", tags=["log"])

_ALWAYS = {"Cache-Control": "private, max-age=31536000, immutable"}
_PLACE = re.compile(r"((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Place = Annotated[str, Path(max_length=40, description="As the layout writes it: `x001/234`, `005.p/17`.")]
Position = Annotated[int, Path(ge=0, lt=2**53)]


@router.get("")
def log_state(desk: Reading) -> LogState:
    """How large the log is, its root, and the public key that proofs are checked with."""
    head = peek(desk.service.logbook.head())
    key = str(desk.service.logbook.key())
    return LogState(origin=head.origin, size=head.size, root=head.root.hex(), key=key)


@router.get("/checkpoint", response_class=PlainTextResponse)
def log_checkpoint(desk: Reading) -> PlainTextResponse:
    """The signed head, as c2sp.org/tlog-checkpoint writes it."""
    return PlainTextResponse(desk.service.logbook.head(), headers={"Cache-Control": "no-store"})


@router.get("/consistency")
def log_consistency(desk: Reading, first: Annotated[int, Query(ge=0, lt=2**53)]) -> LogConsistency:
    """The proof that the log begins with its first `first` entries."""
    note, path = desk.service.logbook.consistency(first)
    return LogConsistency(first=first, hashes=[node.hex() for node in path], checkpoint=note)


@router.get("/entries")
def find_entries(desk: Reading, sha256: Annotated[str, Query(pattern="^[0-9a-f]{64}$")]) -> LogProofs:
    """What the log holds of a medium, by its sha256: of your own scans, batches and generations.

    For the administrator all of it.
    """
    found = desk.service.logbook.proofs(sha256, tenant=None if desk.admin else desk.tenant)
    return LogProofs(items=[LogProof(**one) for one in found])


@router.get("/entries/{position}")
def log_entry(desk: Reading, position: Position) -> LogProof:
    """An entry with its proof; for the administrator."""
    _may_read_entries(desk)
    return LogProof(**desk.service.logbook.prove(position))


@router.get("/tile/entries/{place:path}", response_class=Response, responses=_BYTES)
def log_entries(desk: Reading, place: Place) -> Response:
    """A bundle of entries, each behind its length in two bytes (c2sp.org/tlog-tiles); for administrators."""
    _may_read_entries(desk)
    number, width = _tile(desk, 0, place)
    return _file(bundle(desk.service.logbook.ledger, number, width))


@router.get("/tile/{level}/{place:path}", response_class=Response, responses=_BYTES)
def log_tile(desk: Reading, level: Annotated[int, Path(ge=0, lt=64)], place: Place) -> Response:
    """A tile of hashes (c2sp.org/tlog-tiles)."""
    number, width = _tile(desk, level, place)
    return _file(desk.service.logbook.ledger.tile(level, number, width)[: width * HASH_BYTES])


def _may_read_entries(desk: Desk) -> None:
    """Raise NotThere unless it is the administrator who asks: entries are about everybody's media."""
    if not desk.admin:
        raise NotThere("The log has no entry for you here.", "GET /v1/log/entries?sha256= has your own.")


def _tile(desk: Desk, level: int, place: str) -> tuple[int, int]:
    """Number and width of a tile that the log has; raises NotThere."""
    found = _PLACE.fullmatch(place)
    if found:
        number, width = int(re.sub("[x/]", "", found[1])), int(found[2] or WIDTH)
        held = dict(widths(desk.service.logbook.ledger.size())).get(level, 0)
        if width <= WIDTH and number * WIDTH + width <= held:
            return number, width
    raise NotThere(f"The log has no tile {place} of level {level}.", "The head says how large it is.")


def _file(data: bytes) -> Response:
    return Response(data, media_type="application/octet-stream", headers=_ALWAYS)
