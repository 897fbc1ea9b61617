"""The proof against short cuts: `python -m benchmarks.proof`.

Ours, ours with one part of its training taken out, five baselines rebuilt from published ideas, and ours
with a fold of the families left out are trained on the same number of crops, calibrated on "cal" and measured
on "test" along the path that `touchstone scan` runs. What is done is kept: the same command goes on, and
writes docs/proof.json and docs/proof.md from the trials that have ended.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import proof_page
from benchmarks.release import TRUNK
from benchmarks.standings import gain, read_by, standing, under, unseen
from benchmarks.trials import CROPS, DELIVERIES, Trial, crops_of, exported, readings_of, train, trials
from detector.contenders import CONTENDERS, OURS
from detector.entries import Entry
from detector.lint import lint
from detector.naming import has_maker
from detector.readers import MANIFEST, read
from detector.robustness import chosen
from detector.scoring import Scored
from detector.thresholds import Calibration
from evidence.digest import sha256_file
from evidence.errors import TouchstoneError
from exports.calibrating import AS_DELIVERED, Reading
from exports.registry import ModelEntry
from generators.systems.reconstruction import HELD_OUT_FAMILIES
from worker.scanner import calibration_of, find_detector
from worker.settings import load_settings


def main(arguments: list[str] | None = None) -> int:
    """Train and measure what is missing, write the page; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="holds twins/; proof/ is made in it")
    parser.add_argument("--crops", type=int, default=CROPS, help="that each trial is trained on")
    parser.add_argument("--folds", type=int, default=4, help="of the families, each left out once")
    parser.add_argument("--share", type=float, default=0.3, help="of the groups of cal and test twins")
    parser.add_argument("--only", nargs="*", help="names of trials; the others are left as they are")
    parser.add_argument("--train-only", action="store_true", help="measure nothing")
    parser.add_argument("--measure-only", action="store_true", help="train nothing")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where proof.json and proof.md go")
    options = parser.parse_args(arguments)
    try:
        twins = read(options.runs / "twins")
        everything = trials(twins, options.folds)
        named = [trial for trial in everything if options.only is None or trial.name in options.only]
        if not options.measure_only:
            _train(named, options)
        if not options.train_only:
            results = _measured(named, twins, options)
            proof_page.write(results, options.docs)
            _say(f"{options.docs / proof_page.PAGE} is written.")
    except TouchstoneError as error:
        _say(f"{error}")
        return 1
    return 0


def _train(named: Sequence[Trial], options: argparse.Namespace) -> None:
    twins, runs = options.runs / "twins", options.runs / "proof"
    for trial in named:
        record = train(trial, twins=twins, runs=runs, crops=options.crops)
        if record is not None:
            _say(f"{trial.name}: {record.crops_seen} crops in {record.seconds:.0f} s, AUC {record.auc:.4f}")


def _measured(named: Sequence[Trial], twins: Sequence[Entry], options: argparse.Namespace) -> dict[str, Any]:
    """The trials that have ended and the shipped detector on the same pictures, as the page takes them.

    Of the forgeries those that a generator made: photographs put together carry no trace of one.
    """
    runs: Path = options.runs / "proof"
    counted = [one for one in twins if one.label == "real" or has_maker(one)]
    cal, test = (
        chosen([one for one in counted if one.split == split], options.share) for split in ("cal", "test")
    )
    shipped = find_detector(load_settings())
    found = readings_of(shipped, test, runs / f"readings-test-{shipped.version}.json")
    rows = [_row(shipped.label, "what ships", found, calibration_of(shipped), _trained_on(shipped))]
    clean: dict[str, list[Scored]] = {}
    folds: dict[str, list[dict[str, Any]]] = {}
    for trial, entry in ((trial, exported(trial, runs)) for trial in named):
        if entry is None:
            continue
        folder = trial.folder(runs)
        fits = [r for r in readings_of(entry, cal, folder / "readings-cal.json") if _counts(r.entry, trial)]
        read_test = readings_of(entry, test, folder / "readings-test.json")
        calibration, why = read_by(fits)
        scored = under(read_test, AS_DELIVERED, calibration)
        if trial.name not in CONTENDERS:
            mine = [s for s in scored if s.entry.label == "real" or s.entry.family in trial.left_out]
            folds[trial.name] = standing(mine, calibration)["families"]
            continue
        clean[trial.name] = scored
        words = CONTENDERS[trial.contender].words
        found_row = _row(trial.name, words, read_test, calibration, crops_of(trial, runs))
        rows.append(found_row | {"uncalibrated": why})
    ours = [row["deliveries"][AS_DELIVERED]["families"] for row in rows if row["name"] == OURS]
    return {
        "crops": options.crops,
        "share": options.share,
        "pictures": {split: len(some) for split, some in (("cal", cal), ("test", test))},
        "manifest_sha256": sha256_file(options.runs / "twins" / MANIFEST),
        "held_out": list(HELD_OUT_FAMILIES),
        "rows": rows,
        "gains": {
            name: gain(clean[OURS], other) for name, other in clean.items() if OURS in clean and name != OURS
        },
        "fold_count": options.folds,
        "folds": {trial.name: list(trial.left_out) for trial in named if trial.name in folds},
        "unseen": unseen(folds, ours[0] if ours else []),
        "short_cuts": [asdict(probe) for probe in lint(test).probes],
    }


def _counts(entry: Entry, trial: Trial) -> bool:
    """Whether a trial is calibrated on a picture: not on forgeries of families that it never sees."""
    return entry.label == "real" or entry.family not in trial.left_out


def _row(
    name: str, words: str, found: Sequence[Reading], calibration: Calibration, crops: int | None
) -> dict[str, Any]:
    by_delivery = {way: standing(under(found, way, calibration), calibration) for way in DELIVERIES}
    for way in set(DELIVERIES) - {AS_DELIVERED}:
        by_delivery[way]["families"] = by_delivery[way]["families"][:1]  # the worst is told, and no other
    return {"name": name, "words": words, "crops": crops, "deliveries": by_delivery, "uncalibrated": ""}


def _trained_on(entry: ModelEntry) -> int | None:
    """The crops that a detector learned from, with those of the trunk it was begun from."""
    seen: int | None = entry.training.get("images_seen")
    trunk: dict[str, Any] = entry.metrics.get(TRUNK, {})
    return None if seen is None else seen + int(trunk.get("crops_seen", 0))


def _say(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
