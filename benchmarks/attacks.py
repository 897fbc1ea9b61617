"""What attacks do to a detector: `python -m benchmarks.attacks SET [--model NAME]`.

Forgeries of a labelled collection that the detector calls fake, spread over their generators, are attacked:
by who knows it, by who only asks, and by laundering. Each result is written as PNG and decoded again by the
scanner a person uses; what counts is the verdict there. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from detector.readers import Entry, read
from evidence.image import decode_image
from evidence.verdict import Report
from testsets.attacking import Assault, attack_all, known
from testsets.attacks import parse
from testsets.tally import tally, wilson
from testsets.target import Target
from worker.scanner import Scanner
from worker.settings import load_settings
from worker.targets import open_target

LARGEST = 512  # pixels of the longer side of what is attacked
LAUNDERED = 0.15  # of the verdicts may turn over all kinds of laundering together


@dataclass(frozen=True)
class Bout:
    """An attack, on how many forgeries it is tried, and how many of their verdicts may turn at most."""

    attack: str
    pictures: int | None = None
    goal: float | None = None


BOUTS = (
    Bout("pgd:eps=1", goal=0.5),
    Bout("apgd:eps=1"),
    Bout("apgd:eps=2"),
    Bout("apgd:eps=4"),
    Bout("patch:area=0.02"),
    Bout("square:queries=100"),
    Bout("square:queries=1000", goal=0.2),
    Bout("square:queries=10000", pictures=3, goal=0.4),
    Bout("boundary:queries=1000"),
    Bout("notch"),
    Bout("resample"),
    Bout("renoise"),
    Bout("grid"),
    Bout("rebuild"),
    Bout("recode"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack, scan and print; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collection", type=Path, help="a labelled collection; its split `test` if it has one")
    parser.add_argument("--model", help="another detector than the default one")
    parser.add_argument("--count", type=int, default=30, help="forgeries that are attacked")
    parser.add_argument("--only", nargs="*", help="names of attacks")
    parser.add_argument("--out", type=Path, help="keep the pictures here, and go on from there")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    options = parser.parse_args(arguments)
    settings = load_settings(model=options.model, threads=1)
    target = open_target(settings)
    chosen = _called_fake(options.collection, options.count, target)
    bouts = [bout for bout in BOUTS if not options.only or parse(bout.attack).name in options.only]
    with TemporaryDirectory() as scratch, Scanner(settings) as scanner:
        out = options.out or Path(scratch)
        lines = [_fought(bout, chosen, target, out, scanner) for bout in bouts]
    if washed := [line for line in lines if parse(line["attack"]).needs == "pixels"]:
        lines.append(_pooled(washed))
    result = {"machine": machine(), "model": target.name, "forgeries": len(chosen), "bouts": lines}
    Console(width=120).print(_table(lines, target.name))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    missed = [line for line in lines if line["goal"] is not None and line["success"] > line["goal"]]
    return 1 if missed else 0


def _called_fake(collection: Path, count: int, target: Target) -> list[Entry]:
    """So many forgeries that a scan of the lossless picture calls fake, one family after the other."""
    entries = [entry for entry in read(collection) if entry.label == "fake" and entry.split in ("test", "")]
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.family or entry.generator, []).append(entry)
    found: list[Entry] = []
    for turn in range(max(map(len, families.values()), default=0)):
        for family in families.values():
            if turn < len(family) and len(found) < count and _usable(family[turn], target):
                found.append(family[turn])
    if not found:
        raise SystemExit(f"{collection} holds no forgery that {target.name} calls fake.")
    return found


def _usable(entry: Entry, target: Target) -> bool:
    pixels = decode_image(entry.path)[1]
    return max(pixels.shape) <= LARGEST and target.look(pixels).logit >= target.threshold(pixels)


def _fought(
    bout: Bout, chosen: Sequence[Entry], target: Target, out: Path, scanner: Scanner
) -> dict[str, Any]:
    """One attack on its pictures, and what scans of the written files say."""
    entries = chosen[: bout.pictures]
    rows = attack_all(map(known, entries), Assault([parse(bout.attack)], target), out)
    (line,) = tally(rows)
    reports = [scanned.report for scanned in scanner.scan_all(str(out / row["path"]) for row in rows)]
    turned = sum(not _fake(report) for report in reports)
    print(f"{bout.attack}: {turned} of {len(rows)}", file=sys.stderr)
    return {
        **line.to_dict(),
        "attack": bout.attack,
        "goal": bout.goal,
        "turned": turned,
        "success": turned / len(rows),
        "interval": list(wilson(turned, len(rows))),
        "called_real": sum(report.verdict == "real" for report in reports),
    }


def _pooled(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All kinds of laundering together."""
    pictures, turned, real, clear = (
        sum(line[name] for line in lines) for name in ("pictures", "turned", "called_real", "turned_clear")
    )
    return {
        "attack": "laundering, all",
        "goal": LAUNDERED,
        "pictures": pictures,
        "turned": turned,
        "success": turned / pictures,
        "interval": list(wilson(turned, pictures)),
        "called_real": real,
        "turned_clear": clear,
        **dict.fromkeys(("psnr", "ssim", "queries")),
    }


def _fake(report: Report) -> bool:
    """Whether a scan's score reaches its threshold, whatever else the report doubts.

    Reports round scores to four digits, which attacks that rest just below the threshold fall within.
    """
    assert report.threshold is not None
    above = (report.fake_probability or 0.0) > round(report.threshold.value, 4)
    return report.verdict == "fake" or above


def _table(lines: Sequence[dict[str, Any]], model: str) -> Table:
    table = Table(box=None, header_style="dim", title=f"{model}: forgeries no longer called fake")
    table.add_column("attack", no_wrap=True)
    for name in (
        "goal",
        "n",
        "turned",
        "95 % interval",
        "called real",
        "at 38 dB",
        "PSNR",
        "SSIM",
        "queries",
    ):
        table.add_column(name, justify="right")
    for line in lines:
        low, high = line["interval"]
        table.add_row(
            line["attack"],
            "" if line["goal"] is None else f"{line['goal']:.0%}",
            str(line["pictures"]),
            f"{line['success']:.0%}",
            f"{low:.0%}-{high:.0%}",
            str(line["called_real"]),
            str(line["turned_clear"]),
            *("" if line[name] is None else f"{line[name]:.{digits}f}" for name, digits in _FIGURES),
        )
    return table


_FIGURES = (("psnr", 1), ("ssim", 3), ("queries", 0))

if __name__ == "__main__":
    sys.exit(main())
