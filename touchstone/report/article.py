"""What the report and the web page say alike: the facts of an article, and the templates' environment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from evidence.verdict import Report
from provenance.credentials import Credentials
from provenance.transparency.entries import PROOF
from provenance.transparency.errors import LogError
from provenance.transparency.proofs import head_of, place_of
from provenance.transparency.reading import BLOCK
from provenance.words import credentials_sentence, problem_words
from touchstone.report import figures, wording
from touchstone.report.beside import difference_words
from touchstone.report.credentials import facts

FOLDER = Path(__file__).parent


def article(report: Report) -> dict[str, Any]:
    """What an article says beside the pictures: sentences, plot, and the file's own facts in order."""
    media = report.media
    facts: list[tuple[str, object]] = [("SHA-256", media.get("sha256", ""))]
    if media.get("width") and media.get("height"):
        facts.append(("Picture", f"{media['width']} × {media['height']} px"))
    if media.get("size_bytes"):
        facts.append(("Size", wording.size(media["size_bytes"])))
    facts.append(("Type", " · ".join(str(media[key]) for key in ("mime", "codec") if media.get(key))))
    if jpeg := media.get("jpeg"):
        facts.append(("JPEG", f"quality {jpeg['quality']}, chroma {jpeg['sampling']}"))
    if media.get("duration_s"):
        facts.append(("Duration", wording.clock(media["duration_s"])))
    if media.get("frames") and media.get("kind") != "image":
        rate = f", {media['fps_mode']} rate" if media.get("fps_mode") else ""
        facts.append(("Frames", f"{media['frames']:,}{rate}"))
    if media.get("rotation"):
        facts.append(("Rotation", f"{media['rotation']}°"))
    credentials = _credentials(report)
    return {
        "credentials": credentials,
        "credentials_words": credentials_sentence(credentials) if credentials else "",
        "facts": [(name, value) for name, value in facts if value],
        "quote": wording.quotable(report),
        "caution": wording.caution(report),
        "stability": wording.stability(report),
        "false_alarms": wording.false_alarms(report),
        "timeline": figures.timeline(report),
        "claims": list(_claims(report)),
        "logged": list(_logged(report)),
        "carried": _carried(report),
    }


def environment(*folders: Path) -> jinja2.Environment:
    """Templates of `folders`, then of the report, with the filters that put numbers into words."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in ("between", "percent", "clock", "size", "visible", "headline", "noun", "stretch"):
        environment.filters[name] = getattr(wording, name)
    environment.filters["difference"] = difference_words
    environment.filters["broken"] = problem_words
    return environment


def _logged(report: Report) -> Iterable[tuple[str, object]]:
    """Where the report stands in a transparency log, as its proof has it; nobody checked it here."""
    with suppress(LogError, KeyError, TypeError, AttributeError):
        said = report.to_dict()
        head = head_of(said)
        yield "Log", head.origin
        yield "Entry", f"{place_of(said)} of {head.size}, of {report.provenance[PROOF]['entry']['time']}"


def _carried(report: Report) -> Markup:
    """A report with its proof as it may stand in a page: data to a browser, never a script."""
    if PROOF not in report.provenance:
        return Markup("")
    text = json.dumps(report.to_dict(), separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(f"{BLOCK}{text}</script>")


def _credentials(report: Report) -> Credentials | None:
    """The Content Credentials of a report; None where nobody looked, or what stands there is not ours."""
    with suppress(KeyError, TypeError, AttributeError):
        return Credentials.from_dict(report.provenance["c2pa"])
    return None


def _claims(report: Report) -> Iterable[tuple[str, object]]:
    """What the file says of itself: Content Credentials, claims and metadata, flat, in order."""
    known = []
    with suppress(KeyError, TypeError):  # a report of another version, whose parts are shown as they are
        yield from facts(report.provenance)
        known = ["c2pa", "claims"]
    known.append(PROOF)
    for source, said in report.provenance.items():
        if source in known:
            continue
        if isinstance(said, dict):
            yield from ((f"{source}: {name}", value) for name, value in said.items())
        elif isinstance(said, (list, tuple)):
            yield from ((source, value) for value in said)
        elif said:
            yield source, said
