"""What the GAN suite reaches beside its goals, written into the README: `python -m benchmarks.suite`.

Reads the verdicts of the models that ship and what `benchmarks.modes`, `benchmarks.generators`,
`benchmarks.spectra` and `benchmarks.export_test` left in runs/bench. What nobody has measured says so;
nothing is typed in by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.figures import README, UNMEASURED, Figure
from benchmarks.spectra import represented
from exports.registry import SHIPPED, registry

BEGIN, END = "<!-- suite: written by python -m benchmarks.suite -->\n", "<!-- end of suite -->\n"
SIDE = 64  # pictures of at least this side count for the rate
CONDITIONS = (
    ("MNIST, 20 minutes of one core: Inception score on a digit classifier", "9.0 of 10", "inception_score"),
    ("the same: copies of training pictures", "3 %", "copies"),
    ("class of cGAN's and AC-GAN's digits as asked for", "95 %", "class_accuracy"),
    ("GANimation: error of action units, unseen faces", "0.12", "au_error"),
    ("DR-GAN and TP-GAN: error of yaw, degrees", "8", "yaw_error"),
    ("inpainting and outpainting: known pixels changed", "none", "changed_pixels"),
    ("TAC-GAN and AttnGAN: R-precision of 10 captions", "50 %", "r_precision"),
)


def main(arguments: list[str] | None = None) -> int:
    """Rewrite the table; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=Path("runs/bench"))
    parser.add_argument("--readme", type=Path, default=README)
    chosen = parser.parse_args(arguments)
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in chosen.results.glob("*.json")}
    verdicts = {
        entry.name: entry.metrics.get("verdict", {}).get("figures", {})
        for entry in registry(SHIPPED).of_kind("generator")
    }
    head, _, rest = chosen.readme.read_text(encoding="utf-8").partition(BEGIN)
    _, _, foot = rest.partition(END)
    table = "\n".join(render(verdicts, results))
    chosen.readme.write_text(f"{head}{BEGIN}\n{table}\n\n{END}{foot}", encoding="utf-8")
    return 0


def render(verdicts: Mapping[str, Mapping[str, float]], results: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the table: `verdicts` are the figures by model, `results` the benchmarks' by file."""
    yield "| | goal | measured | command |"
    yield "|---|---|---|---|"
    for row in (*_of_verdicts(verdicts), *_of_benchmarks(results)):
        yield f"| {row.what} | {row.goal} | {row.measured} | `{row.command}` |"


def _of_verdicts(verdicts: Mapping[str, Mapping[str, float]]) -> Iterator[Figure]:
    for what, goal, figure in CONDITIONS:
        of = {name: figures[figure] for name, figures in verdicts.items() if figure in figures}
        if figure in ("inception_score", "copies"):
            of = {name: value for name, value in of.items() if name.startswith("vanilla")}
        measured = ", ".join(f"{value:.3g} ({name})" for name, value in of.items())
        yield Figure(what, goal, measured or UNMEASURED, "touchstone train SYSTEM")


def _of_benchmarks(results: Mapping[str, Any]) -> Iterator[Figure]:
    counts = ", ".join(str(len(names)) for names in represented().values())
    what = "upsamplers, normalisations and losses in the catalogue"
    yield Figure(what, "8, 4, 5", counts, "python -m benchmarks.suite")
    for name, what, goal, command, words in (
        ("modes", "25 Gaussians on a grid and on a ring: modes hit", "25", "modes", _points),
        ("modes", "stacked digits: modes hit", "990 of 1000", "modes --minutes 40", _stacks),
        ("spectra", "operators told apart by a linear probe on spectra", "90 %", "spectra", _probed),
        ("generators", "pictures a second of 64 px, two cores", "60", "generators", _slowest),
        ("export_test", "test that exports all systems, seconds", "90", "export_test", _seconds),
    ):
        found = results.get(name)
        yield Figure(what, goal, words(found) if found else UNMEASURED, f"python -m benchmarks.{command}")


def _points(found: Mapping[str, Any]) -> str:
    return " and ".join(str(row["modes"]) for name, row in found.items() if "gaussians" in name)


def _stacks(found: Mapping[str, Any]) -> str:
    row = found["stacked digits"]
    return f"{row['modes']}, {row['images_seen']:,} images seen in {row['seconds'] / 60:.0f} minutes"


def _probed(found: Mapping[str, Any]) -> str:
    return f"{found['accuracy']:.1%} of {len(found['operators'])}"


def _seconds(found: Mapping[str, Any]) -> str:
    return f"{found['seconds']:.0f}, {found['machine']['cores']} cores of {found['machine']['processor']}"


def _slowest(found: Mapping[str, Any]) -> str:
    rates = [row for row in found["rates"] if min(row["height"], row["width"]) >= SIDE]
    slowest = min(rates, key=itemgetter("per_second"))
    return f"{slowest['per_second']:.0f} ({slowest['model']}, the slowest)"


if __name__ == "__main__":
    sys.exit(main())
