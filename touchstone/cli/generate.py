"""`touchstone generate SYSTEM`: pictures from a shipped generator, or a real picture through its decoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evidence.errors import MediaError, OutputError, UsageError
from touchstone.cli.guard import NOTHING_DONE
from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from evidence.medium import Pixels
    from exports.registry import ModelEntry

MANIFEST = "manifest.jsonl"
MOST_IN_GRID = 64


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(generate)


def generate(
    system: Annotated[
        str, typer.Argument(metavar="SYSTEM", help="A generator that `touchstone models` lists.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where pictures and manifest.jsonl go.")],
    count: Annotated[int, typer.Option(min=1, help="How many samples.")] = 16,
    seed: Annotated[int, typer.Option(help="The same seed gives the same pictures.")] = 0,
    input: Annotated[
        list[Path] | None,
        typer.Option("--input", metavar="FILE", help="A real picture to pass through a decoder; repeatable."),
    ] = None,
) -> None:
    """Make synthetic pictures, each with its origin in a manifest.

    A generator from noise takes --count and --seed. One of the reconstruction family takes --input and
    gives each picture's aligned twin: same size, and the same JPEG history where there is one. Exit code
    1 when some pictures could not be read; those are named and left out.

    Examples: `touchstone generate dcgan-faces --count 64 --out faces/` · `touchstone generate
    reconstruction-nearest-x8 --input photo.jpg --out twins/`
    """
    from worker.scanner import installed_models
    from worker.settings import load_settings

    settings = load_settings()
    entry = installed_models(settings).get(system)
    takes_pictures = entry.task == "reconstruction"
    if entry.kind != "generator":
        raise UsageError(f"{entry.label} is a {entry.kind}.", "`touchstone models` lists the generators.")
    if takes_pictures and not input:
        raise UsageError(f"{entry.label} rebuilds pictures.", "Name at least one with --input.")
    if input and not takes_pictures:
        raise UsageError(f"{entry.label} draws from noise and takes no --input.", "Use --count and --seed.")
    skipped = Skipped()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with (out / MANIFEST).open("a", encoding="utf-8") as manifest:
            made = _twins(entry, input, out, skipped) if input else _samples(entry, count, seed, out)
            for name, origin in made:
                row = {
                    "path": name,
                    "label": "fake",
                    "generator": entry.name,
                    "version": entry.version,
                    "model_sha256": entry.sha256,
                    "sha256": hashlib.sha256((out / name).read_bytes()).hexdigest(),
                    **origin,
                }
                manifest.write(json.dumps(row) + "\n")
                print(out / name)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror}.", "Name another --out.") from None
    raise typer.Exit(NOTHING_DONE if input and skipped.count == len(input) else skipped.exit_code)


def _samples(entry: ModelEntry, count: int, seed: int, out: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Draw, write a PNG each and a contact sheet of the first; yields names with their origin."""
    from exports.sampling import grid, sample

    pictures = sample(entry, count, seed)
    for index, pixels in enumerate(pictures):
        name = f"{entry.name}-{seed}-{index:05d}.png"
        (out / name).write_bytes(_png(pixels))
        yield name, {"seed": seed, "index": index, "width": pixels.shape[1], "height": pixels.shape[0]}
    (out / f"{entry.name}-{seed}-grid.png").write_bytes(_png(grid(pictures[:MOST_IN_GRID])))


def _twins(
    entry: ModelEntry, paths: Sequence[Path], out: Path, skipped: Skipped
) -> Iterator[tuple[str, dict[str, object]]]:
    """Rebuild each picture and deliver it as it came; yields names with their origin."""
    from evidence.image import decode_image
    from evidence.jpeg import encode_like
    from exports.runtime import GeneratorSession
    from exports.sampling import reconstruct

    session = GeneratorSession(entry)
    for path in paths:
        try:
            info, pixels = decode_image(path)
        except MediaError as error:
            skipped.add(path, error)
            continue
        twin = reconstruct(session, pixels)
        name = _free_name(out, f"{path.stem}-{entry.name}", ".jpg" if info.jpeg else ".png")
        (out / name).write_bytes(encode_like(twin, info.jpeg) if info.jpeg else _png(twin))
        yield (
            name,
            {
                "twin_of": str(path),
                "twin_sha256": info.sha256,
                "width": twin.shape[1],
                "height": twin.shape[0],
            },
        )


def _free_name(out: Path, stem: str, suffix: str) -> str:
    """`stem` with `suffix`, numbered from 2 where that name is taken: no twin overwrites another's."""
    name, number = f"{stem}{suffix}", 1
    while (out / name).exists():
        number += 1
        name = f"{stem}-{number}{suffix}"
    return name


def _png(pixels: Pixels) -> bytes:
    import cv2

    _, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return bytes(data)
