"""Where a medium comes from, without a verdict: verify its credentials, trace it, and sign.

Nothing that is handed in here is kept, and nothing is entered anywhere. Signing is off unless the operator
switched it on, and needs a scope of its own: a signature of this service is worth what it does not sign.
"""

from __future__ import annotations

import base64
import logging
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field

from evidence.errors import AccessError, MediaError, SigningError
from provenance.beside import difference, thumbnail_of
from provenance.credentials import Credentials
from provenance.signing import Statement
from provenance.signing_apart import Signed
from provenance.words import claim_words, credentials_sentence, source_sentence
from touchstone.api.access import Signing, Writing
from touchstone.api.handing import Handed, asked, body, handed_in
from touchstone.api.origin_schemas import AboutForm, Changed, Differs, Seen, Verification
from touchstone.api.schemas import Line, Name
from touchstone.api.service import Desk
from touchstone.report.beside import named_in
from worker.origins import Verified

log = logging.getLogger("touchstone.api")
router = APIRouter(prefix="/v1", tags=["provenance"])

# Those of `provenance.signing` but what a camera did, which is for cameras to say.
SourceType = Literal[
    "", "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia",
    "algorithmicallyEnhanced", "compositeSynthetic", "composite", "digitalCreation", "humanEdits",
    "screenCapture", "dataDrivenMedia",
]  # fmt: skip


class SwitchedOff(AccessError):
    """Raised when the operator did not switch on what was asked for."""

    code = "switched_off"


class SignForm(AboutForm):
    """What the signature says of the file.

    `generated`: a machine made it. `edited`: it was made from `parent`, else from what it was before.
    `scanned`: this service looked at it and changed nothing. `source_type` is a word of the IPTC; empty is
    what `as` implies.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    what: Annotated[Literal["generated", "edited", "scanned"], Field(alias="as")] = "edited"
    source_type: SourceType = ""
    title: Name = ""
    agent: Annotated[Line, Field(max_length=256, description="The tool that made or changed it.")] = ""
    description: Annotated[Line, Field(max_length=1024)] = ""


_SIDECAR = ("sidecar", "The manifest that lies beside it, NAME.c2pa.")
_PARENT = ("parent", "With `edited`: what it was made from.")
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The signed medium; of a format that holds no manifest, its sidecar.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/*", "video/*", "audio/*", "application/octet-stream", "application/c2pa")
        },
    }
}


@router.post("/verify", openapi_extra=body(AboutForm, [_SIDECAR]))
async def verify(desk: Writing, request: Request) -> Verification:
    """What a medium says of itself: Content Credentials, claims, and the watermark of what was made here.

    No detector looks at it. `credentials.state` is none, invalid, untrusted, interim or trusted.
    """
    async with handed_in(request, desk, AboutForm, [_SIDECAR[0]]) as (handed, _):
        sidecar = handed.others.get(_SIDECAR[0])
        found = await asked(desk, lambda: desk.service.origins.verify(handed.path, sidecar))
        changed = await asked(desk, lambda: _changed(desk, handed, sidecar, found.declared.credentials))
        words = _words(found)
        return Verification(**_of(handed), **found.to_dict(), words=words, changed=changed)


@router.post("/trace", openapi_extra=body(AboutForm))
async def trace(desk: Writing, request: Request) -> Seen:
    """Where a medium, or one that looks like it, was seen before: by you, or on everybody's lists.

    Each sighting has its `distance` in bits of 256 and its `false_match_rate`. Asking enters nothing.
    """
    if not desk.service.settings.registry:
        raise SwitchedOff("This service remembers nothing.", "TOUCHSTONE_REGISTRY=true switches that on.")
    async with handed_in(request, desk, AboutForm) as (handed, _):
        seen = await asked(desk, lambda: desk.service.origins.trace(desk.tenant, handed.path))
        return Seen(**_of(handed), **seen.to_dict())


@router.post("/sign", openapi_extra=body(SignForm, [_PARENT]), response_class=Response, responses=_BYTES)
async def sign(desk: Signing, request: Request) -> Response:
    """Content Credentials for a medium by the service's key: the signed medium, or its sidecar.

    Only where the operator switched it on, for keys of the scope `sign`. It says what you say, and never
    that a camera took it.
    """
    if not desk.service.settings.signing:
        raise SwitchedOff(
            "This service does not sign.",
            "TOUCHSTONE_SIGNING=true switches it on; `touchstone sign` signs here.",
        )
    async with handed_in(request, desk, SignForm, [_PARENT[0]]) as (handed, form):
        signed = await asked(desk, lambda: _sign(desk, handed, form))
    log.info("%s had %s signed as %s", desk.tenant, handed.sha256, form.what)
    path = PurePath(handed.name)
    kind = signed.mime if signed.embedded else "application/c2pa"
    name = f"{path.stem}.signed{path.suffix}" if signed.embedded else f"{path.name}.c2pa"
    return Response(signed.content, media_type=kind, headers={"Content-Disposition": _attachment(name)})


def _sign(desk: Desk, handed: Handed, form: SignForm) -> Signed:
    """The signed file, once another child has read that it says what was asked."""
    parent = handed.others.get(_PARENT[0])
    if parent is not None and form.what != "edited":
        raise SigningError("A parent belongs to what was edited.", "Say `as=edited`, or leave it out.")
    statement = Statement(
        form.what,
        title=form.title or handed.name,
        source_type=form.source_type,
        agent=form.agent,
        description=form.description,
        parent=parent,
    )
    origins = desk.service.origins
    signed = origins.sign(handed.path, statement, parent_title=handed.names.get(_PARENT[0], ""))
    with desk.service.media.receive() as written:
        written.write(signed.content)
        if signed.embedded:
            origins.check(written.written(), None, statement)
        else:
            origins.check(handed.path, written.written(), statement)
    return signed


def _changed(desk: Desk, handed: Handed, sidecar: Path | None, found: Credentials) -> Changed | None:
    """What a medium was when it was signed, if it was changed since and its manifest tells."""
    if "signed" not in dict(named_in({"c2pa": found.to_dict()})):
        return None
    origins = desk.service.origins
    try:
        before = origins.beside(handed.path, "signed", sidecar)
        if before is None:
            return None
        now = origins.picture(handed.path)
    except MediaError:
        return None
    signed, shown = (base64.b64encode(thumbnail_of(one)).decode() for one in (before, now))
    return Changed(signed=signed, now=shown, differs=Differs.of(difference(now, before)))


def _of(handed: Handed) -> dict[str, Any]:
    return {"name": handed.name, "sha256": handed.sha256, "size_bytes": handed.size_bytes}


def _words(found: Verified) -> list[str]:
    declared = found.declared
    said = [credentials_sentence(declared.credentials), source_sentence(declared.credentials)]
    said += [f"Claimed: {claim_words(claim)}" for claim in declared.claims]
    if found.mark is not None and found.mark.present:
        said.append("It carries the watermark of what was generated here.")
    return [sentence for sentence in said if sentence]


def _attachment(name: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"
