"""The data card of a test set, and its contact sheets: what is in it, by whom, and what it looks like."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from evidence.files import write_whole
from evidence.image import decode_image
from evidence.medium import Pixels
from evidence.video_writer import write_video
from exports.manifest import Row
from exports.sampling import grid
from generators.delivery import png
from testsets.build import ABOUT, LINT
from testsets.footage import frames_of

CARD, SHEETS = "README.md", "sheets"
COLUMNS = 8


def write_sheets(folder: Path, rows: Sequence[Row]) -> None:
    """`sheets/SYSTEM.png` for each forger: reals above, what it made of them below.

    Of clips, frames of one and `SYSTEM.mp4` with both sides of it.
    """
    by_system: dict[str, list[Row]] = {}
    for row in rows:
        if row["label"] == "fake":
            by_system.setdefault(row["generator"], []).append(row)
    for name, fakes in by_system.items():
        if "frames" in fakes[0]:
            _write_film(folder, name, fakes[len(fakes) // 2])
            continue
        shown = fakes[:: max(1, len(fakes) // COLUMNS)][:COLUMNS]
        reals = [_pixels(folder / row["twin_of"]) for row in shown]
        made = [_pixels(folder / row["path"]) for row in shown]
        write_whole(folder / SHEETS / f"{name}.png", png(grid([*reals, *made], len(shown))))


def _write_film(folder: Path, name: str, row: Row) -> None:
    real, made = (frames_of(folder / row[which]) for which in ("twin_of", "path"))
    shown = [round(at * (len(real) - 1) / (COLUMNS - 1)) for at in range(COLUMNS)]
    pictures = [side[at] for side in (real, made) for at in shown]
    write_whole(folder / SHEETS / f"{name}.png", png(grid(pictures, COLUMNS)))
    film = [np.concatenate(pair, axis=1) for pair in zip(real, made, strict=True)]
    write_video(folder / SHEETS / f"{name}.mp4", film, row["frames_per_second"], crf=18)


def write_card(folder: Path, rows: Sequence[Row], *, forced: bool) -> None:
    """`README.md` of a set; `forced` where it was taken in spite of a leak."""
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    found = json.loads((folder / LINT).read_text("utf-8"))
    write_whole(folder / CARD, "\n".join([*_lines(about, found, rows, forced), ""]).encode())


def _lines(about: dict[str, Any], found: dict[str, Any], rows: Sequence[Row], forced: bool) -> Iterable[str]:
    fakes = [row for row in rows if row["label"] == "fake"]
    yield f"# {about['name']}\n"
    if about["about"]:
        yield f"{about['about']}\n"
    what = "clips" if "frames" in rows[0] else "pictures"
    yield (
        f"{len(rows) - len(fakes)} real {what} and {len(fakes)} forgeries of them, made by Touchstone from "
        f"`recipe.toml` with seed {about['seed']}. Each forgery has a real twin of the same size, format, "
        f"{'codec, rate, length' if what == 'clips' else 'quantisation tables'} and file date. "
        f"`manifest.jsonl` has a row a {what[:-1]}."
    )
    yield f"\n## Short cuts\n\n{_verdict(found, forced)}\n"
    yield from _probes(found)
    yield "\n## What is in it\n"
    yield from _table("split", rows, "split")
    yield from _table("system", fakes, "generator")
    yield from _table("chain", rows, "treatment")
    yield from _attacks(rows)
    yield "\n## Where it comes from\n"
    names = ", ".join(source["name"] for source in about["sources"])
    yield f"Reals: {names}. Their rights are those of the source.\n"
    yield "| model | sha256 |\n|---|---|"
    yield from (f"| {label} | `{sha256}` |" for label, sha256 in about["models"].items())
    if about.get("targets"):
        yield "\n| attacked detector | sha256 |\n|---|---|"
        yield from (f"| {label} | `{foe['sha256']}` |" for label, foe in about["targets"].items())
    yield f"\nMarks of the forgeries: {_MARKS[about['marks']]}"
    yield (
        "\n## Checking it\n\n`touchstone testset verify .` compares every file with the manifest; with "
        "`--rebuild 20` it makes twenty anew from their rows, to the bit. `sheets/` shows reals above and "
        "forgeries below, `lint.html` what each short cut alone can tell."
    )


_MARKS = {
    "none": "none, so that nothing but the forgery tells them apart. Do not publish them as photographs.",
    "pixels": "a watermark in the pixels.",
    "all": "a watermark in the pixels, XMP and Content Credentials, which tell them from their reals.",
}


def _verdict(found: dict[str, Any], forced: bool) -> str:
    if found["verdict"] == "failed":
        names = ", ".join(probe["name"] for probe in found.get("probes", ()) if probe["leaks"])
        taken = " and was taken with --force" if forced else ""
        return (
            f"**This set leaks{taken}.** Told apart without looking at the forgery by: {names or 'doubles'}."
        )
    if found["verdict"] == "passed":
        return "No classifier that sees a short cut alone tells real from fake."
    return "No short cut was found, but there are too few pictures to be sure."


def _probes(found: dict[str, Any]) -> Iterable[str]:
    if not found.get("probes"):
        return
    yield "| what a classifier sees | AUC | 95 % interval |\n|---|---|---|"
    for probe in found["probes"]:
        low, high = probe["interval"]
        yield f"| {probe['name']} | {probe['auc']:.3f} | {low:.3f} to {high:.3f} |"


def _attacks(rows: Sequence[Row]) -> Iterable[str]:
    """What each attack did: how many pictures, how many verdicts it turned of those that were right."""
    by_attack: dict[str, list[Row]] = {}
    for row in rows:
        if row["attack"]:
            name = row["attack"]["name"]
            by_attack.setdefault(f"{name} on {row['target'] or 'nothing'}", []).append(row)
    if not by_attack:
        return
    yield "| attack | pictures | verdicts turned | median PSNR |\n|---|---|---|---|"
    for name, own in by_attack.items():
        asked = [row["flipped"] for row in own if row["flipped"] is not None]
        turned = f"{sum(asked)} of {len(asked)}" if asked else "not asked"
        yield f"| {name} | {len(own)} | {turned} | {median(row['psnr'] for row in own):.1f} dB |"
    yield ""


def _table(name: str, rows: Sequence[Row], key: str) -> Iterable[str]:
    counts = Counter((row[key] or "none", row["label"]) for row in rows)
    yield f"| {name} | real | fake |\n|---|---|---|"
    for value in dict.fromkeys(value for value, _ in sorted(counts)):
        yield f"| {value} | {counts[value, 'real']} | {counts[value, 'fake']} |"
    yield ""


def _pixels(path: Path) -> Pixels:
    return decode_image(path)[1]
