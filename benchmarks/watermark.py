"""What a watermark outlives, and if it is seen where it is not: `python -m benchmarks.watermark FOLDER`.

Marks photographs, changes them, and looks for the mark with no hint of what was done. Then photographs that
carry none are looked at with other keys, and p-values at single places are counted against their bound.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.media import photo_like
from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from evidence.video import h264_roundtrip
from provenance.watermark.carriers import HIGHEST, carriers
from provenance.watermark.detect import FALSE_POSITIVES, detect
from provenance.watermark.embed import PSNR_DB, embed
from provenance.watermark.rings import ring
from provenance.watermark.spectra import Views
from testsets.likeness import psnr_db, ssim
from testsets.tally import wilson

SHARDS = ("photos-0000.tar", "photos-0001.tar")
KEY = bytes(range(32))
PAYLOAD = bytes.fromhex("0123456789abcdef")
GOALS = {"none": 0.99, "JPEG q75": 0.97, "resize 0.5": 0.95, "crop 25 %": 0.90, "H.264 CRF 28": 0.85}
SMALL_SIDES = (96, 128, 192)
ALPHAS = (0.1, 0.01, 1e-3, 1e-4, 1e-5)
KEYS_AT_A_PLACE = 200
SMALL_EVERY = 5  # of the photographs are made small too

Change = Callable[[Pixels, np.random.Generator], Pixels]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 when a goal is missed or a mark was seen where there is none."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="the folder of photos-0000.tar and photos-0001.tar")
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--keys", type=int, default=1, help="wrong keys for each unmarked photograph")
    parser.add_argument("--json", type=Path, default=Path("runs/bench/watermark.json"))
    chosen = parser.parse_args(arguments)
    photos = list(photographs(chosen.folder, chosen.photos))
    seen, small, quality = _survival(photos)
    false = _false_positives(photos, chosen.keys)
    result = {
        "machine": machine(),
        "photos": len(photos),
        "threshold": FALSE_POSITIVES,
        "psnr_set_db": PSNR_DB,
        "quality": quality,
        "survival": seen,
        "small": small,
        "false_positives": false,
        "bound": _bound(photos),
        "cost": _cost(),
    }
    console = Console()
    for title, rows in (("Survival", seen), ("Small pictures", small)):
        console.print(_table(title, rows))
    console.print_json(
        json.dumps({name: result[name] for name in ("quality", "false_positives", "bound", "cost")})
    )
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    missed = [name for name, goal in GOALS.items() if seen[name]["found"] < goal]
    return 1 if missed or false["present"] or quality["psnr_db_least"] < 40 else 0


def photographs(folder: Path, count: int) -> Iterator[Pixels]:
    """`count` photographs spread evenly over the shards."""
    places = []
    for name in SHARDS:
        with tarfile.open(folder / name) as shard:
            places += [(name, member.name) for member in shard if member.name != "index.jsonl"]
    wanted = [places[index] for index in np.linspace(0, len(places) - 1, count).round().astype(int)]
    for name in SHARDS:
        with tarfile.open(folder / name) as shard:
            for member in (member for held, member in wanted if held == name):
                file = shard.extractfile(member)
                assert file is not None
                yield np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))


def jpeg(quality: int) -> Change:
    return lambda pixels, _: _decoded(encode_jpeg(pixels, quality))


def resize(factor: float) -> Change:
    def change(pixels: Pixels, _: np.random.Generator) -> Pixels:
        size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)

    return change


def crop(away: float) -> Change:
    """Cut a part of the area away; what is left lies anywhere."""

    def change(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = (round(side * math.sqrt(1 - away)) for side in pixels.shape[:2])
        y, x = (
            int(rng.integers(whole - kept + 1))
            for whole, kept in zip(pixels.shape, (height, width), strict=False)
        )
        return np.ascontiguousarray(pixels[y : y + height, x : x + width])

    return change


def after(*changes: Change) -> Change:
    def change(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        for one in changes:
            pixels = one(pixels, rng)
        return pixels

    return change


CHANGES: dict[str, Change] = {
    "none": after(),
    "JPEG q75": jpeg(75),
    "resize 0.5": resize(0.5),
    "crop 25 %": crop(0.25),
    "H.264 CRF 28": lambda pixels, _: h264_roundtrip(pixels, 28),
    "resize 0.73": resize(0.73),
    "crop 50 %": crop(0.5),
    "resize 0.5, JPEG q75": after(resize(0.5), jpeg(75)),
    "crop 25 %, resize 0.73, JPEG q75": after(crop(0.25), resize(0.73), jpeg(75)),
}


def _survival(photos: list[Pixels]) -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[bool, bool]]] = {name: [] for name in CHANGES}
    small: dict[str, list[tuple[bool, bool]]] = {}
    decibels, likeness = [], []
    for number, photo in enumerate(photos):
        marked = embed(photo, KEY, PAYLOAD)
        decibels.append(psnr_db(photo, marked))
        likeness.append(ssim(photo, marked))
        for name, change in CHANGES.items():
            found[name].append(_look(change(marked, rng)))
        for side in SMALL_SIDES if number % SMALL_EVERY == 0 else ():
            thumb = embed(_square(photo, side), KEY, PAYLOAD)
            for name in ("none", "JPEG q75"):
                small.setdefault(f"{side} px, {name}", []).append(_look(CHANGES[name](thumb, rng)))
    quality = {
        "psnr_db_least": min(decibels),
        "psnr_db_mean": float(np.mean(decibels)),
        "ssim_least": min(likeness),
        "ssim_mean": float(np.mean(likeness)),
    }
    return _rows(found), _rows(small), quality


def _look(pixels: Pixels) -> tuple[bool, bool]:
    mark = detect(pixels, KEY)
    return mark.present, mark.payload == PAYLOAD


def _rows(found: dict[str, list[tuple[bool, bool]]]) -> dict[str, Any]:
    rows = {}
    for name, looks in found.items():
        hits = sum(present for present, _ in looks)
        read = sum(told for _, told in looks)
        count = len(looks)
        rows[name] = {
            "found": hits / count,
            "interval": wilson(hits, count),
            "read": read / count,
            "n": count,
        }
    return rows


def _false_positives(photos: list[Pixels], keys: int) -> dict[str, float]:
    least, present, tried = 1.0, 0, 0
    for number, photo in enumerate(photos):
        for turn in range(keys):
            mark = detect(photo, b"wrong %d %d" % (number, turn))
            tried, present, least = tried + 1, present + mark.present, min(least, mark.p_value)
    return {"looks": tried, "present": present, "least_p": least}


def _bound(photos: list[Pixels]) -> dict[str, float]:
    """At one scale and shift, how often p-values of random keys lie below alpha, as a share of alpha."""
    below, count = dict.fromkeys(ALPHAS, 0), 0
    three = np.array([3.0])
    places = [Views([photo]).waves(three, three, ring(HIGHEST))[0].astype(np.complex128) for photo in photos]
    for number in range(KEYS_AT_A_PLACE):
        known = carriers(b"key %d" % number)
        for waves in places:
            aligned = waves[known.pilot] * np.exp(-1j * known.phases[known.pilot])
            p = np.exp(-(max(0.0, float(aligned.real.sum())) ** 2) / float((np.abs(aligned) ** 2).sum()))
            count += 1
            for alpha in ALPHAS:
                below[alpha] += bool(p <= alpha)
    return {
        "looks": count,
        **{f"below {alpha:g}, of alpha": below[alpha] / count / alpha for alpha in ALPHAS},
    }


def _cost() -> dict[str, float]:
    """Milliseconds of one core, medians: for one megapixel, and unmarked for other sizes too."""
    photo = photo_like(866, 1155, 0)
    small, large = photo_like(256, 256, 0), photo_like(3000, 4000, 0)
    marked = embed(photo, KEY, PAYLOAD)
    resized = resize(0.73)(marked, np.random.default_rng(0))
    return {
        "embed_ms": _ms(lambda: embed(photo, KEY, PAYLOAD)),
        "detect_marked_ms": _ms(lambda: detect(marked, KEY)),
        "detect_resized_ms": _ms(lambda: detect(resized, KEY)),
        "detect_unmarked_ms": _ms(lambda: detect(photo, KEY)),
        "detect_unmarked_256_px_ms": _ms(lambda: detect(small, KEY)),
        "detect_unmarked_12_mp_ms": _ms(lambda: detect(large, KEY)),
    }


def _ms(work: Callable[[], object], repeats: int = 21) -> float:
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(1000 * (time.process_time() - started))
    return float(np.median(times))


def _square(pixels: Pixels, side: int) -> Pixels:
    """The middle of a picture at another size."""
    short = min(pixels.shape[:2])
    y, x = ((whole - short) // 2 for whole in pixels.shape[:2])
    middle = np.ascontiguousarray(pixels[y : y + short, x : x + short])
    return np.asarray(cv2.resize(middle, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _decoded(data: bytes) -> Pixels:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)


def _table(title: str, rows: dict[str, Any]) -> Table:
    table = Table("after", "goal", "found", "95 %", "payload read", title=title)
    for name, row in rows.items():
        low, high = row["interval"]
        goal = f"{GOALS[name]:.2f}" if title == "Survival" and name in GOALS else ""
        table.add_row(name, goal, f"{row['found']:.3f}", f"{low:.3f} to {high:.3f}", f"{row['read']:.3f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
