"""Signs media and reports: what is said about them, with whose key, and into which file.

    sign_file(Path("photo.jpg"), Path("signed.jpg"), Statement("edited"), key)

A format that can hold a manifest gets it embedded; any other file, a report among them, gets a sidecar
`NAME.c2pa`, whose signature covers every byte of the file. What was written is read back before it counts.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Literal

from evidence.errors import OutputError, SigningError
from evidence.limits import DecodeLimits
from evidence.source import buffered, open_media
from provenance.beside import thumbnail_in
from provenance.c2pa import CredentialReader, Part, SigningKey, sign
from provenance.formats import EMBEDDING, media_type
from provenance.transparency.entries import report_sha256

What = Literal["generated", "edited", "scanned", "report"]
WHATS: tuple[What, ...] = ("generated", "edited", "scanned", "report")

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# The words of the IPTC that a signer may choose from, `--source-type`.
SOURCE_TYPES = (
    *("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"),
    *("algorithmicallyEnhanced", "compositeSynthetic", "composite", "compositeCapture", "digitalCapture"),
    *("computationalCapture", "digitalCreation", "humanEdits", "screenCapture", "dataDrivenMedia"),
)
SCAN_ASSERTION = "org.touchstone.scan"
_USUAL = {"generated": "trainedAlgorithmicMedia", "report": "dataDrivenMedia"}
_MOST_REPORT_BYTES = 64 << 20


@dataclass(frozen=True)
class Statement:
    """What is said about the file that is signed.

    "generated": a machine made it. "edited": it was made from `parent`, else from what the file was
    before; `source_type` says how, such as "compositeWithTrainedAlgorithmicMedia". "scanned": Touchstone
    looked at it and changed nothing; `report` (the JSON of the scan) says what it found. "report": the file
    is such a report itself. `parent_title` is what the parent is called, if not by its file's name.
    `found` is what scans found, as `scan_data` tells it, where the report is no JSON.
    """

    what: What
    title: str = ""
    source_type: str = ""
    agent: str = ""
    description: str = ""
    parent: Path | None = None
    report: Path | None = None
    parent_title: str = ""
    found: tuple[dict[str, Any], ...] = ()


def sign_file(source: Path, out: Path, statement: Statement, key: SigningKey) -> Path:
    """Sign `source` into `out`, or leave it and write `out` as a sidecar; the file that was written.

    Raises SigningError, MediaError for files that cannot be read, OutputError.
    """
    limits = DecodeLimits()
    with open_media(source, limits) as raw:
        file = buffered(raw)
        mime = media_type(file)
        embed = mime in EMBEDDING
        definition = manifest_definition(statement, source)
        with _parts(statement, limits) as parts, _whole(out) as target:
            written = target if embed else io.BytesIO()
            edit = statement.what in ("edited", "scanned")
            shown = b"" if statement.what == "report" else thumbnail_in(source, limits)
            manifest = sign(
                definition, file, mime, key=key, out=written, parts=parts, edit=edit, embed=embed,
                thumbnail=shown,
            )  # fmt: skip
            if not embed:
                target.write(manifest)
            target.flush()
            _check(target if embed else file, mime, b"" if embed else manifest)
    return out


def sign_content(content: bytes, statement: Statement, key: SigningKey) -> bytes:
    """The same for a file in memory, of a format that holds its manifest; it has to have a title.

    Raises SigningError.
    """
    file, signed = io.BytesIO(content), io.BytesIO()
    mime = media_type(file)
    edit = statement.what in ("edited", "scanned")
    with _parts(statement, DecodeLimits()) as parts:
        definition = manifest_definition(statement, Path(statement.title))
        sign(definition, file, mime, key=key, out=signed, parts=parts, edit=edit)
    _check(signed, mime, b"")
    return signed.getvalue()


def target_for(source: Path) -> Path:
    """Where the signature of a file goes when nobody says: beside it, never over it."""
    with open_media(source, DecodeLimits()) as file:
        embed = media_type(file) in EMBEDDING
    return source.with_name(f"{source.stem}.signed{source.suffix}" if embed else f"{source.name}.c2pa")


def manifest_definition(statement: Statement, source: Path) -> dict[str, Any]:
    """The manifest as c2pa-python takes it. Raises SigningError for what may not be said."""
    kind = statement.source_type or _USUAL.get(statement.what, "")
    if kind and kind not in SOURCE_TYPES:
        raise SigningError(f"There is no source type {kind!r}.", f"There is: {', '.join(SOURCE_TYPES)}.")
    assertions: list[dict[str, Any]] = [
        {"label": "c2pa.actions.v2", "data": {"actions": [_action(statement, kind)]}}
    ]
    report = source if statement.what == "report" else statement.report
    if statement.found:
        one = statement.found[0] if len(statement.found) == 1 else {"scans": list(statement.found)}
        assertions.append({"label": SCAN_ASSERTION, "data": one})
    elif report is not None:
        assertions.append({"label": SCAN_ASSERTION, "data": scan_assertion(report)})
    return {
        "claim_generator_info": [{"name": "Touchstone", "version": version("touchstone")}],
        "title": statement.title or source.name,
        "assertions": assertions,
    }


def scan_assertion(report: Path) -> dict[str, Any]:
    """What a scan found, out of its JSON report, with the sha256 of medium and report; or SigningError."""
    with open_media(report, DecodeLimits(max_bytes=_MOST_REPORT_BYTES)) as file:
        data = file.read()
    try:
        found = json.loads(data)
        if found["schema"] != "touchstone.scan/1":
            raise ValueError(f"its schema is {found['schema']!r}")
        return {**scan_data(found), "report_sha256": hashlib.sha256(data).hexdigest()}
    except (ValueError, KeyError, TypeError) as error:
        raise SigningError(
            f"{report} is no report of one scan: {error}.", "Give what `touchstone scan FILE --json` printed."
        ) from None


def scan_data(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says, as an assertion; `logged_as` is its sha256 in the transparency log.

    Raises KeyError, TypeError for what is no report.
    """
    return {
        "schema": found["schema"],
        "logged_as": report_sha256(found),
        "media_sha256": found["media"]["sha256"] or "",
        "status": found["status"],
        "verdict": found["verdict"] or "",
        "fake_probability": found["fake_probability"] if found["fake_probability"] is not None else "",
        "threshold": found["threshold"] or {},
        "models": [{name: row[name] for name in ("name", "version", "sha256")} for row in found["models"]],
    }


def _action(statement: Statement, kind: str) -> dict[str, Any]:
    name = {"edited": "c2pa.edited", "scanned": "org.touchstone.scanned"}.get(statement.what, "c2pa.created")
    action: dict[str, Any] = {"action": name}
    if kind:
        action["digitalSourceType"] = IPTC + kind
    action["softwareAgent"] = {"name": statement.agent or f"Touchstone {version('touchstone')}"}
    if statement.description:
        action["description"] = statement.description
    return action


@contextmanager
def _parts(statement: Statement, limits: DecodeLimits) -> Iterator[list[Part]]:
    if statement.parent is None:
        yield []
        return
    with open_media(statement.parent, limits) as raw:
        file = buffered(raw)
        mime = media_type(file)
        shown = thumbnail_in(statement.parent, limits)
        yield [Part(file, mime, statement.parent_title or statement.parent.name, thumbnail=shown)]


def _check(file: BinaryIO, mime: str, sidecar: bytes) -> None:
    """What cannot be verified by us is not handed out: a rare file is changed by being signed."""
    found = CredentialReader().read(file, mime, sidecar)
    if not found.stands:
        codes = ", ".join(problem.code for problem in found.problems) or found.state
        raise SigningError(
            f"What was written does not verify ({codes}), so it was thrown away.",
            "Save the file anew in its format, or in another, and sign that.",
        )


@contextmanager
def _whole(out: Path) -> Iterator[BinaryIO]:
    """A file that takes its place when the block ends well. Raises OutputError."""
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w+b") as file:
            yield file
        beside.replace(out)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written: {error.strerror or error}.", "Choose another place."
        ) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
