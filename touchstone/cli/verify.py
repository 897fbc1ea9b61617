"""`touchstone verify`: what files say of where they come from, and how far that can be believed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evidence.errors import MediaError, UsageError

if TYPE_CHECKING:
    from evidence.medium import Pixels
    from provenance.beside import Kind
    from worker.beside import Beside

VALID, NONE, INVALID, NOTHING_DONE = 0, 4, 5, 3


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(verify)


def verify(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE|DIR|GLOB", help="Media, or reports with a sidecar.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document: an object, or an array.")
    ] = False,
    trust: Annotated[
        list[Path] | None,
        typer.Option(metavar="LIST.pem", help="Trust these certificates too, for this run; once for each."),
    ] = None,
) -> None:
    """Read and check the Content Credentials and the claims of files. Nothing is fetched from anywhere.

    Examples: `touchstone verify photo.jpg` · `touchstone verify clip.mp4 --json --trust newsroom.pem`

    Exit codes: 0 every file has valid credentials, 1 some could not be read, 2 wrong usage, 3 none could,
    4 a file has none, 5 a file's are invalid or revoked. The gravest counts: 3, 1, 5, 4, 0.
    """
    from evidence.sandbox import DecoderPool
    from provenance.examine import examine, reader
    from provenance.trust import TrustStore
    from touchstone.cli.inputs import expand
    from touchstone.report.credentials import told
    from worker.beside import Beside
    from worker.settings import load_settings

    settings = load_settings()
    store = TrustStore(settings.trust_folder)
    items = [item for item in expand(files) if not item.path.endswith(".c2pa")]
    if not items:
        raise UsageError(
            "There is no medium in what was named.", "Name the file that a manifest .c2pa lies beside."
        )
    for warning in store.warnings():
        print(f"touchstone: {warning}", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    codes: list[int] = []
    with (
        DecoderPool(settings.limits, workers=1, reader=reader(store, _extra(trust or ()))) as pool,
        Beside(settings.limits) as pictures,
    ):
        for number, item in enumerate(items):
            try:
                if item.problem:
                    raise item.problem
                declared = examine(pool, item.path)
            except MediaError as error:
                codes.append(NOTHING_DONE)
                rows.append({"path": item.path, "error": {"code": error.code, "message": str(error)}})
                if not as_json:
                    print(f"touchstone: {error.code}: {error}", file=sys.stderr)
                continue
            state = declared.credentials
            codes.append(VALID if state.stands else NONE if state.state == "none" else INVALID)
            rows.append({"path": item.path, **declared.to_dict()})
            if not as_json:
                print(("" if number == 0 else "\n") + "\n".join(told(item.path, declared)))
                for line in _apart(item.path, declared.credentials.to_dict(), pictures):
                    print(f"  {line}")
    if as_json:
        print(json.dumps(rows[0] if len(files) == len(rows) == 1 else rows, indent=1))
    raise typer.Exit(worst(codes))


def worst(codes: Sequence[int]) -> int:
    """The exit code of them all: the gravest counts."""
    if NOTHING_DONE in codes:
        return NOTHING_DONE if set(codes) == {NOTHING_DONE} else 1
    return max(codes)


def _apart(path: str, credentials: dict[str, Any], pictures: Beside) -> Iterator[str]:
    """Of a file that was changed after it was signed: where, if its manifest holds a picture of it."""
    from touchstone.report.beside import beside, difference_words, named_in

    def signed(kind: Kind) -> Pixels | None:
        return pictures.find(path, kind) if kind == "signed" else None

    if any(kind == "signed" for kind, _ in named_in({"c2pa": credentials})):
        for one in beside({"c2pa": credentials}, pictures.picture(path), signed):
            yield f"Beside the picture that was signed: {difference_words(one)}"


def _extra(paths: Sequence[Path]) -> list[Any]:
    """The lists that are trusted for this run alone."""
    from provenance.trust import list_from

    return [list_from(path) for path in paths]
