"""Writes the table of results into the README, from what the benchmarks and the release measured.

`python -m benchmarks.figures` reads runs/bench/*.json and exports/models/models.json. What nobody has
measured says so; nothing is typed in by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.media import SMALL_COUNT
from evidence.errors import ModelNotFound
from exports.calibrating import AS_DELIVERED, DELIVERIES
from exports.registry import SHIPPED, ModelEntry, registry

README = Path("README.md")
BEGIN, END = "<!-- figures: written by python -m benchmarks.figures -->\n", "<!-- end of figures -->\n"
# What a file shows without being looked at; names of files and folders carry the label by design.
PROBES = ("size", "format", "quantisation tables", "8x8 thumbnail", "colour histogram")
UNMEASURED = "not measured yet"
# What is forged, in words and as the release names it, and the AUC that is aimed at.
GROUPS = (
    ("rebuilt as a whole by decoders seen in training", "seen decoders, forged as a whole", "0.99"),
    ("rebuilt as a whole by decoders left out", "decoders left out, forged as a whole", "0.95"),
    ("rebuilt in a part by decoders seen in training", "seen decoders, forged in a part", ""),
    ("drawn by GANs of faces", "sample", ""),
    ("translated", "translation", ""),
    ("inpainted", "inpainting", ""),
    ("outpainted", "outpainting", ""),
    ("faces turned", "rotation", ""),
    ("faces animated", "animation", ""),
    ("self-blended faces", "self-blended", "0.95"),
    ("spliced", "splice", ""),
)


@dataclass(frozen=True)
class Figure:
    """A row of the table: what, the goal, what was measured, and the command that measured it."""

    what: str
    goal: str
    measured: str
    command: str


def main(arguments: list[str] | None = None) -> int:
    """Rewrite the table; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=Path("runs/bench"))
    parser.add_argument("--readme", type=Path, default=README)
    chosen = parser.parse_args(arguments)
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in chosen.results.glob("*.json")}
    text = chosen.readme.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, foot = rest.partition(END)
    table = "\n".join(render(_detector(), results))
    chosen.readme.write_text(f"{head}{BEGIN}\n{table}\n\n{END}{foot}", encoding="utf-8")
    return 0


def render(detector: ModelEntry | None, results: dict[str, Any]) -> Iterator[str]:
    """The lines of the table and of the note below it."""
    yield "| | goal | measured | command |"
    yield "|---|---|---|---|"
    for row in (*_of_detector(detector), *_of_alarms(results), *_of_speed(results), *_of_clone(results)):
        yield f"| {row.what} | {row.goal} | {row.measured} | `{row.command}` |"
    machines = {_where(result["machine"]) for result in results.values() if "machine" in result}
    if machines:
        yield ""
        yield f"Benchmarks on {'; '.join(sorted(machines))}."


def _of_detector(detector: ModelEntry | None) -> Iterator[Figure]:
    metrics = detector.metrics if detector is not None else {}
    for words, group, goal in GROUPS:
        rows = [(name, metrics.get(f"{name}, {group}")) for name in DELIVERIES]
        found = [(name, row) for name, row in rows if row is not None]
        measured = UNMEASURED
        if found:
            (_, first), *others = found
            low, high = first["auc_interval"]
            measured = f"{first['auc']:.3f} ({low:.3f} to {high:.3f}), {first['fakes']} fakes"
            measured += "".join(f"; {name} {row['auc']:.3f}" for name, row in others)
        yield Figure(f"AUC, held-out reals against their twins, {words}", goal, measured, "make train")
    naming = metrics.get(f"{AS_DELIVERED}, naming of families")
    measured = UNMEASURED
    if naming is not None:
        measured = (
            f"{naming['top_1']:.3f}, {naming['unknown_auroc']:.3f}; {naming['named']:.0%} are named, "
            f"{naming['right_of_named']:.0%} of them rightly"
        )
    yield Figure(
        "who made it: likeliest family right, AUROC of families never seen",
        "0.95, 0.90",
        measured,
        "make train",
    )
    probes = {name: value for name, value in metrics.get("probes", {}).items() if name in PROBES}
    strongest = max(probes, key=probes.__getitem__) if probes else ""
    yield Figure(
        "AUC of the strongest confound probe on the test split",
        "0.52",
        f"{probes[strongest]:.3f} ({strongest})" if probes else UNMEASURED,
        "make train",
    )


def _of_alarms(results: dict[str, Any]) -> Iterator[Figure]:
    found = results.get("false_alarms")
    command = "python -m benchmarks.false_alarms"
    pooled, worst, clips = UNMEASURED, UNMEASURED, UNMEASURED
    if found:
        every = next(row for row in found["rows"] if (row["source"], row["condition"]) == ("pooled", "all"))
        pooled = f"{_rate(every)}; {every['uncertain'] / every['n']:.0%} uncertain"
        highest = max(
            (row for row in found["rows"] if row["source"] != "pooled"), key=lambda row: row["rate"]
        )
        worst = f"{_rate(highest)}: {highest['source']}, {highest['condition']}"
        verdicts = list(found["clips"].values())
        if verdicts:
            clips = f"{len(verdicts) - verdicts.count('fake')} of {len(verdicts)}"
            clips += f", {verdicts.count('uncertain')} of them uncertain"
    what = "genuine photographs, faces and video frames called fake (as published, JPEG q75, 0.75 size)"
    yield Figure(f"{what}: pooled", "1 %", pooled, command)
    yield Figure("the same, worst source and condition", "3 %", worst, command)
    yield Figure("camera clips not called fake, at 2 frames a second", "16 of 16", clips, command)


def _of_speed(results: dict[str, Any]) -> Iterator[Figure]:
    rows = {row["name"]: row for row in results.get("scan", {}).get("results", [])}
    for name, what, goal in (
        ("small", "pictures of 256 px, end to end", "100 a second"),
        ("large", "a JPEG of 12 megapixels", "0.6 s"),
        ("keyframes", "30 s of 1080p, key frames", "1.5 s"),
        ("seconds", "30 s of 1080p, a frame a second", "8 s"),
    ):
        measured = UNMEASURED
        if name in rows:
            seconds, over = rows[name]["end_to_end"], rows[name]["over_bare"]
            speed = f"{SMALL_COUNT / seconds:.0f} a second" if name == "small" else f"{seconds:.2f} s"
            measured = f"{speed}; {over:.2f} of the slowest stage alone"
        yield Figure(what, f"{goal}; 1.15", measured, "make bench")
    memory = results.get("memory")
    measured = UNMEASURED
    if memory:
        slope = memory["slope_mb_per_1000_files"]
        measured = f"peak {memory['peak_mb']:.0f} MB, {slope:+.1f} MB for each 1 000 files"
    files = f"{memory['files'] if memory else 10_000:,}".replace(",", " ")
    yield Figure(
        f"memory of a folder scan, {files} files", "flat, under 1 GB", measured, "python -m benchmarks.memory"
    )


def _of_clone(results: dict[str, Any]) -> Iterator[Figure]:
    for target, what, goal in (
        ("demo", "fresh clone to printed verdicts, installation included", "3 minutes"),
        ("test", "all tests from a fresh clone", "15 minutes"),
    ):
        found = results.get(f"clone-{target}")
        measured = f"{found['seconds'] / 60:.1f} minutes" if found else UNMEASURED
        yield Figure(what, goal, measured, f"python -m benchmarks.clone {target}")


def _rate(row: dict[str, Any]) -> str:
    low, high = row["interval"]
    return f"{100 * row['rate']:.1f} % ({100 * low:.1f} to {100 * high:.1f} %) of {row['n']}"


def _where(machine: dict[str, str]) -> str:
    return f"{machine['cores']} cores of {machine['processor']}, commit {machine['commit']}"


def _detector() -> ModelEntry | None:
    """The default detector that ships, if one does."""
    try:
        return registry(SHIPPED).default("detector")
    except ModelNotFound:
        return None


if __name__ == "__main__":
    sys.exit(main())
