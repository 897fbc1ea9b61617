"""Writes docs/gallery.md, what every system makes and measures: `python -m benchmarks.gallery`.

Pictures come from the shipped ONNX files at fixed seeds; figures from `models.json`. What was trained and
missed its floor is read from the run folders once and kept in docs/misses.json, so that it stays said.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.plates import FACES, Painter, write
from exports.registry import SHIPPED, ModelEntry, Registry
from exports.runtime import GeneratorSession
from generators.catalogue import CATALOGUE
from generators.training.checkpoint import CONFIG, RECORD
from generators.verdict import VERDICT

PAGE = Path("docs/gallery.md")
PICTURES = Path("docs/gallery")
MISSES = Path("docs/misses.json")
README = Path("README.md")
BEGIN, END = "<!-- systems: written by python -m benchmarks.gallery -->\n", "<!-- end of systems -->\n"
# What a reader wants of each task first; all figures are in the model's card.
TELLING = (
    "class_accuracy",
    "inception_score",
    "copies",
    "r_precision",
    "label_share",
    "turned_forward",
    "au_error",
    "yaw_error",
    "hole_psnr",
    "hole_l1",
    "seam_ratio",
    "untouched",
    "fid_ratio",
)
_INTRO = (
    "# Gallery\n",
    "Every system of the suite, what its shipped file makes, and what it measured. The pictures are samples",
    "as they come, at seed 0, none chosen. Faces are nobody's: those that a generator changes were made by",
    f"`{FACES}`. Photographs are freely licensed ones from well-known packages. All of it is made again by",
    "`python -m benchmarks.gallery`.\n",
    "| model | system | paper | upsampler, normalisation, loss | weights | images seen | trained | file "
    "| figures |",
    "|---|---|---|---|---|---|---|---|---|",
)
_NOTE = (
    "\n`fid_ratio` is the Fréchet distance of samples to held-out pictures over that of an untrained",
    "generator, on random convolutions: 0 is perfect, 1 is nothing learnt; it compares within this table",
    "only. All figures are measured on pictures that were not trained on, by `touchstone train` at the end",
    "of a run (`verdict.json`); each model's card in `exports/models/` has them all, with the floors they",
    "had to reach.\n",
)


def main(arguments: list[str] | None = None) -> int:
    """Write the page and its pictures; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--media", type=Path, default=Path("demo/media/real"))
    parser.add_argument("--table-only", action="store_true", help="leave the pictures as they are")
    chosen = parser.parse_args(arguments)
    models = Registry([SHIPPED])
    entries = sorted(models.of_kind("generator"), key=_place)
    misses = _misses(chosen.runs, {_system(entry) for entry in entries})
    MISSES.write_text(json.dumps(misses, indent=2) + "\n", encoding="utf-8")
    words = {} if chosen.table_only else _paint(models, entries, chosen.media)
    if chosen.table_only:
        words = _words_before()
    PAGE.write_text("\n".join(page(entries, misses, words)) + "\n", encoding="utf-8")
    head, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    table = "\n".join(short_table(entries, misses))
    README.write_text(f"{head}{BEGIN}\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 0


def short_table(entries: list[ModelEntry], misses: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A line for every system of the catalogue: what it does, whose it is, what ships and how it measures."""
    yield "| system | paper | task | ships as | images seen | measured |"
    yield "|---|---|---|---|---|---|"
    for name, row in CATALOGUE.items():
        own = [entry for entry in entries if _system(entry) == name]
        task = row.load()[0].task
        if not own:
            miss = misses.get(name)
            said = " ".join(miss["missed"]) if miss else "not trained for a release"
            yield f"| `{name}` | {row.paper} | {task} | does not ship | {_seen(miss)} | {said} |"
            continue
        first = own[0]
        links = ", ".join(f"[{entry.name}](docs/gallery.md#{entry.name})" for entry in own)
        figures = _telling(first.metrics.get("verdict", {}).get("figures", {}))
        yield f"| `{name}` | {row.paper} | {task} | {links} | {_seen(first.training)} | {figures} |"


def page(
    entries: list[ModelEntry], misses: dict[str, dict[str, Any]], words: dict[str, str]
) -> Iterator[str]:
    """The lines of the page."""
    yield from _INTRO
    for entry in entries:
        yield _row(entry)
    yield from _NOTE
    absent = [name for name in CATALOGUE if name not in {_system(entry) for entry in entries}]
    absent += [name for name in misses if name not in absent]
    if absent:
        yield "## What does not ship\n"
        yield "| system | images seen | trained | missed | figures |"
        yield "|---|---|---|---|---|"
        for name in absent:
            yield _missed_row(name, misses.get(name))
        yield ""
    for entry in entries:
        yield f"## {entry.name}\n"
        yield f"{CATALOGUE[_system(entry)].paper}. {words.get(entry.name, '')}\n"
        yield f"![{entry.name}](gallery/{entry.name}.jpg)\n"
        if (PICTURES / f"{entry.name}.gif").is_file():
            yield f'<img src="gallery/{entry.name}.gif" alt="{entry.name} in motion" width="256">\n'


def _row(entry: ModelEntry) -> str:
    """What shipped: a line of the table."""
    tags = ", ".join(entry.tags.get(tag, "") for tag in ("upsampler", "normalisation", "loss"))
    training, weights = entry.training, entry.metrics["parameters"]["generator"]
    trained = f"{training['seconds'] / 60:.0f} min, {training['hardware']}"
    figures = _telling(entry.metrics.get("verdict", {}).get("figures", {}))
    cells = (
        f"[{entry.name}](#{entry.name})",
        _system(entry),
        CATALOGUE[_system(entry)].paper,
        tags,
        f"{weights / 1e6:.2f} M",
        f"{training['images_seen']:,}",
        trained,
        f"{entry.size_bytes / 1e6:.1f} MB",
        figures,
    )
    return f"| {' | '.join(cells)} |"


def _paint(models: Registry, entries: list[ModelEntry], media: Path) -> dict[str, str]:
    """Make every plate anew; returns the sentence below each."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.iterdir():
        old.unlink()
    painter, words = Painter(models, media), {}
    for entry in entries:
        plate = painter.plate(GeneratorSession(entry))
        words[entry.name] = plate.words
        for path in write(plate, PICTURES, entry.name):
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)
    return words


def _words_before() -> dict[str, str]:
    """The sentences the page has now."""
    found: dict[str, str] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        name, _, rest = section.partition("\n")
        line = rest.strip().partition("\n")[0]
        found[name] = re.split(r"(?<=\d)\. ", line, maxsplit=1)[-1]  # after the paper, which ends in a year
    return found


def _misses(runs: Path, shipped: set[str]) -> dict[str, dict[str, Any]]:
    """What missed its floor: from the run folders that are here, else as it was written down."""
    kept: dict[str, dict[str, Any]] = json.loads(MISSES.read_text("utf-8")) if MISSES.is_file() else {}
    for verdict in sorted(runs.glob(f"*/{VERDICT}")):
        found = json.loads(verdict.read_text("utf-8"))
        settled = json.loads((verdict.parent / CONFIG).read_text("utf-8"))
        record = json.loads((verdict.parent / RECORD).read_text("utf-8"))
        if found["missed"]:
            kept[_run(settled["system"], record["command"])] = {
                "missed": found["missed"],
                "figures": found["figures"],
                **{key: record[key] for key in ("images_seen", "seconds", "hardware", "command")},
            }
    return {
        name: miss
        for name, miss in sorted(kept.items())
        if name.split()[0] in CATALOGUE and name not in shipped
    }


def _run(system: str, command: str) -> str:
    """The system, with its preset where that is not the one that ships."""
    words = command.split()
    preset = words[words.index("--preset") + 1] if "--preset" in words else "shipped"
    return system if preset == "shipped" else f"{system} --preset {preset}"


def _missed_row(name: str, miss: dict[str, Any] | None) -> str:
    if miss is None:
        return f"| {name} | | not trained for a release | | |"
    return (
        f"| {name} | {miss['images_seen']:,} | {miss['seconds'] / 60:.0f} min, {miss['hardware']} "
        f"| {' '.join(miss['missed'])} | {_telling(miss['figures'])} |"
    )


def _seen(training: Mapping[str, Any] | None) -> str:
    return f"{training['images_seen']:,}" if training else ""


def _telling(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figures[name]:.3g}" for name in TELLING if name in figures)


def _system(entry: ModelEntry) -> str:
    return entry.tags["system"]


def _place(entry: ModelEntry) -> tuple[int, str]:
    return list(CATALOGUE).index(_system(entry)), entry.name


if __name__ == "__main__":
    sys.exit(main())
