"""`touchstone watermark`: put a mark of your own into pictures and films, and find it again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evidence.errors import MediaError, UsageError
from touchstone.cli.guard import NOTHING_DONE
from touchstone.cli.inputs import Input, expand
from touchstone.cli.verify import worst

if TYPE_CHECKING:
    from provenance.watermark.detect import Mark

group = typer.Typer(no_args_is_help=True)

PRESENT, ABSENT = 0, 4

Files = Annotated[list[str], typer.Argument(metavar="FILE|DIR|GLOB", help="Pictures and films.")]
KeyFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The secret. Default: the data folder's watermark/key.")
]


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    app.add_typer(group, name="watermark", help="Mark pictures and films invisibly, and find the mark again.")


@group.command()
def embed(
    files: Files,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For one file. Default: NAME.marked.png, .jpg for a JPEG, .mp4."),
    ] = None,
    payload: Annotated[
        str,
        typer.Option(
            metavar="HEX", help="16 digits that the mark says. Default: those the sha256 begins with."
        ),
    ] = "",
    key_file: KeyFile = None,
) -> None:
    """Write marked copies; the key is made at first use. A copy has no metadata, and a film no sound.

    Examples: `touchstone watermark embed fake.png` · `touchstone watermark embed clip.mp4 --out marked.mp4
    --payload 00000000000004d2`

    Exit codes: 0 done, 1 some files could not be marked, 2 wrong usage, 3 none could.
    """
    from evidence.sandbox import DecoderPool
    from provenance.watermark.files import embedding_limits, mark_file
    from provenance.watermark.keys import key_at
    from touchstone.cli.skipped import Skipped
    from worker.settings import load_settings

    settings = load_settings()
    said = _payload(payload)
    items = _items(files)
    if out is not None and len(items) != 1:
        raise UsageError(f"--out names one file, and there are {len(items)}.", "Leave it out.")
    key = key_at(key_file or settings.watermark_key)
    skipped, done = Skipped(), 0
    with DecoderPool(embedding_limits(settings.limits), workers=1) as pool:
        for item in items:
            try:
                if item.problem:
                    raise item.problem
                target, carried = mark_file(pool, Path(item.path), out, key=key, payload=said)
            except MediaError as error:
                skipped.add(item.path, error)
                continue
            done += 1
            print(f"{target}  {carried.hex()}")
    raise typer.Exit(skipped.exit_code if done else NOTHING_DONE)


@group.command()
def detect(
    files: Files,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document: an object, or an array.")
    ] = False,
    key_file: KeyFile = None,
) -> None:
    """Look for the mark of a key; also after a crop, another size, JPEG, H.264, a mirror or a quarter turn.

    Example: `touchstone watermark detect fake.marked.png --json`

    Exit codes: 0 every file carries it, 1 some could not be read, 2 wrong usage, 3 none could, 4 a file does
    not carry it. The gravest counts: 3, 1, 4, 0.
    """
    from evidence.sandbox import DecoderPool
    from provenance.watermark.files import find_in_file
    from provenance.watermark.keys import fingerprint, read_key
    from touchstone.report.wording import visible
    from worker.settings import load_settings

    items = _items(files)
    settings = load_settings()
    key = read_key(key_file or settings.watermark_key)
    name = fingerprint(key)
    rows: list[dict[str, Any]] = []
    codes: list[int] = []
    with DecoderPool(settings.limits, workers=1) as pool:
        for item in items:
            try:
                if item.problem:
                    raise item.problem
                mark = find_in_file(pool, item.path, key)
            except MediaError as error:
                codes.append(NOTHING_DONE)
                rows.append({"path": item.path, "error": {"code": error.code, "message": str(error)}})
                if not as_json:
                    print(
                        f"touchstone: {error.code}: {visible(item.path)}: {visible(error)}", file=sys.stderr
                    )
                continue
            codes.append(PRESENT if mark.present else ABSENT)
            rows.append({"path": item.path, "key": name, **mark.to_dict()})
            if not as_json:
                print(f"{visible(item.path)}: {told(mark, name)}")
    if as_json:
        print(json.dumps(rows[0] if len(files) == len(rows) == 1 else rows, indent=1))
    raise typer.Exit(worst(codes))


def told(mark: Mark, key_name: str) -> str:
    """What was found, as a sentence."""
    if not mark.present:
        return f"no mark of key {key_name} (p = {mark.p_value:.2g})."
    words = [f"marked by key {key_name} (p <= {mark.p_value:.1e})"]
    if mark.payload is None:
        words.append("too faint to be read")
    else:
        assert mark.agreement is not None
        words.append(f"says {mark.payload.hex()} ({100 * mark.agreement:.0f} % of its coded bits)")
    if mark.turned:
        words.append(f"the picture is {mark.turned}")
    return ", ".join(words) + "."


def _payload(digits: str) -> bytes | None:
    from provenance.watermark.code import PAYLOAD_BYTES

    if not digits:
        return None
    try:
        payload = bytes.fromhex(digits)
    except ValueError:
        payload = b""
    if len(payload) != PAYLOAD_BYTES:
        raise UsageError(
            f"{digits!r} is no payload.", f"Give {2 * PAYLOAD_BYTES} hexadecimal digits, 0 to 9 and a to f."
        )
    return payload


def _items(files: list[str]) -> list[Input]:
    items = expand(files)
    if not items:
        raise UsageError(f"There is no file in {', '.join(files)}.", "Name pictures or films.")
    return items
