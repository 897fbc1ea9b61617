"""`touchstone trace`: where files were seen before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evidence.errors import MediaError
from touchstone.cli.guard import NOTHING_DONE
from touchstone.cli.known import TENANT
from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from provenance.seen import Seen

UNSEEN = 4


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(trace)


def trace(
    files: Annotated[list[str], typer.Argument(metavar="FILE|DIR|GLOB", help="Pictures and videos.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document: an object, or an array.")
    ] = False,
    tenant: Annotated[
        str, typer.Option(help="Whose media are looked through, besides those for everybody.")
    ] = TENANT,
) -> None:
    """Tell where files were seen before: scanned, generated here, flagged, or on an imported list.

    The same bytes come first, then what looks alike: the whole picture, also mirrored or turned, a
    part of it, or key frames of a video. Nothing is entered by asking.

    Examples: `touchstone trace photo.jpg` · `touchstone trace clip.mp4 --json`

    Exit codes: 0 every file was seen before, 1 some could not be read, 2 wrong usage, 3 none could, 4 a file
    was never seen.
    """
    from touchstone.cli.looking import looked_at
    from touchstone.cli.registry import opened
    from worker.settings import load_settings

    settings, skipped = load_settings(), Skipped()
    rows: list[dict[str, Any]] = []
    unseen = 0
    with opened(settings) as registry:
        for path, file in looked_at(files, settings):
            if isinstance(file, MediaError):
                skipped.add(path, file)
                rows.append(_failed(path, file))
                continue
            seen = registry.trace(tenant, file.sha256, file.fingerprint)
            unseen += not seen.sightings
            rows.append({"path": path, "sha256": file.sha256, **seen.to_dict()})
            if not as_json:
                print("\n".join(_lines(path, seen)))
    if as_json:
        print(json.dumps(rows[0] if len(files) == len(rows) == 1 else rows, indent=1))
    if skipped.count == len(rows):
        raise typer.Exit(NOTHING_DONE)
    raise typer.Exit(skipped.exit_code or (UNSEEN if unseen else 0))


def _lines(path: str, seen: Seen) -> list[str]:
    from provenance.seen import rate_words, sighting_words
    from touchstone.report.wording import visible

    lines = [visible(path)]
    for one in seen.sightings:
        lines += [f"  {visible(sighting_words(one))}", f"    {rate_words(one)}"]
    if not seen.sightings:
        lines.append(f"  Never seen before, as far as this registry goes: {seen.compared} comparisons.")
    if not seen.known:
        lines.append("  There is too little in it to look for it by more than its bytes.")
    if seen.left_out:
        lines.append(f"  And {seen.left_out} more.")
    return lines


def _failed(path: str, error: MediaError) -> dict[str, Any]:
    return {"path": path, "error": {"code": error.code, "message": str(error)}}
