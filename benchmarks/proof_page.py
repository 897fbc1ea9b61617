"""The page of the proof from its figures: `python -m benchmarks.proof_page` writes docs/proof.md again."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from detector.contenders import ABLATIONS, CONTENDERS, OURS
from generators.training.checkpoint import write_text

FIGURES, PAGE = "proof.json", "proof.md"
ALIGNMENT_GOAL = 0.10
UNSEEN_GOALS = (0.98, 0.93, 0.88)  # AUC mean, AUC worst, balanced accuracy worst
_NOTE = "<!-- Written by python -m benchmarks.proof from proof.json. -->\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the page again from its figures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    folder: Path = parser.parse_args(arguments).docs
    write(json.loads((folder / FIGURES).read_text(encoding="utf-8")), folder)
    return 0


def write(results: Mapping[str, Any], folder: Path) -> None:
    """The figures and the page, into `folder`."""
    write_text(folder / FIGURES, json.dumps(results, indent=1) + "\n")
    write_text(folder / PAGE, text(results))


def text(results: Mapping[str, Any]) -> str:
    """The whole page."""
    return "\n".join([_NOTE, *_page(results)]) + "\n"


def _page(results: Mapping[str, Any]) -> Iterator[str]:
    rows, crops = results["rows"], results["crops"]
    yield "# The proof against short cuts\n"
    yield (
        f"Detectors of one budget, {crops:,} crops each (the shipped one had more), trained on the same "
        "aligned twins by the same loop: ours, ours with one part of its training taken out, and "
        "baselines rebuilt from published ideas "
        "([`detector/contenders.py`](../detector/contenders.py)). None saw the families "
        f"{_joined(results['held_out'])}. Each has thresholds at 1 % false alarms from the same `cal` twins "
        f"and is measured on the same {results['pictures']['test']:,} pictures of the `test` split, "
        f"{results['share']:.0%} of its groups, along the path that `touchstone scan` runs; forgeries are "
        "those that a generator made. Intervals are 95 %, by drawing whole groups. So small a budget says "
        "which part carries, not how good a detector gets.\n"
    )
    yield f"```console\n$ python -m benchmarks.proof --crops {crops} --share {results['share']}\n```\n"
    missing = [name for name in CONTENDERS if name not in {row["name"] for row in rows}]
    if missing:
        yield f"Not trained yet: {_joined(missing)}.\n"
    if not results["folds"]:
        yield "Families left out in folds (`fold 1` and on) were not trained yet.\n"
    yield "## What each part brings\n"
    yield "| training | what is other |"
    yield "|---|---|"
    for row in rows:
        yield f"| {row['name']} | {row['words']} |"
    for delivery in rows[0]["deliveries"]:
        yield from _table(rows, delivery)
    yield from _gains(results)
    yield from _beaten(rows)
    yield from _unseen(results)
    yield from _short_cuts(results["short_cuts"])


def _table(rows: Sequence[Mapping[str, Any]], delivery: str) -> Iterator[str]:
    yield f"\n### {delivery[0].upper()}{delivery[1:]}\n"
    yield (
        "| training | crops | worst family: AUC | mean AUC | pooled AUC | TPR at 1 % | real ok | fake ok "
        "| hard reals called fake |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in sorted(rows, key=lambda row: float(row["deliveries"][delivery]["families"][0]["auc"])):
        found = row["deliveries"][delivery]
        worst, pooled, hard = found["families"][0], found["pooled"], found["hard"]
        cells = [
            row["name"],
            f"{row['crops']:,}" if row["crops"] else "",
            f"{worst['name']}: {_with_interval(worst)}",
            f"{found['mean_auc']:.3f}",
            _with_interval(pooled),
            f"{pooled['tpr_at_1_percent']:.1%}",
        ]
        if row["uncalibrated"]:
            cells += ["no thresholds: it ranks too badly", "", ""]
        else:
            low, high = hard["interval"]
            alarms = f"{hard['alarms']} of {hard['reals']} ({low:.1%} to {high:.1%})"
            cells += [f"{pooled['real_accuracy']:.1%}", f"{pooled['fake_accuracy']:.1%}", alarms]
        yield f"| {' | '.join(cells)} |"


def _gains(results: Mapping[str, Any]) -> Iterator[str]:
    gains = {name: found for name, found in results["gains"].items() if name in ABLATIONS}
    if not gains:
        return
    yield "\n### What ours has over itself without a part\n"
    yield "AUC as delivered, on the same pictures; each one's worst family is its own.\n"
    yield "| without | worst family | mean over families |"
    yield "|---|---|---|"
    for name, found in sorted(gains.items(), key=lambda item: -float(item[1]["worst"]["gain"])):
        yield f"| {name} | {_gain(found['worst'])} | {_gain(found['mean'])} |"
    for name in ("no alignment", "no alignment, formats as usual"):
        if name in gains:
            found = gains[name]["worst"]
            word = "reached" if found["gain"] >= ALIGNMENT_GOAL else "missed"
            yield (
                f"\nAgainst `{name}` alignment brings {_gain(found)} on the worst family; the goal of "
                f"+{ALIGNMENT_GOAL:.2f} is {word}."
            )
    idle = [name for name, found in gains.items() if found["mean"]["interval"][0] <= 0]
    if idle:
        yield (
            f"\nAt this budget no gain of the mean can be told from chance for, or there is none by: "
            f"{_joined(idle)}."
        )


def _beaten(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where a baseline or an ablation stands above ours."""
    ours = next((row for row in rows if row["name"] == OURS), None)
    others = [row for row in rows if row["name"] != OURS and (ours is None or row["crops"] == ours["crops"])]
    if ours is None or not others:
        return
    yield "\n### Where another beats ours\n"
    said = False
    for delivery, mine in ours["deliveries"].items():
        for row in others:
            theirs = row["deliveries"][delivery]
            found = [
                f"{what} {there:.3f} against {here:.3f}"
                for what, there, here in (
                    ("mean AUC", theirs["mean_auc"], mine["mean_auc"]),
                    ("worst family", theirs["families"][0]["auc"], mine["families"][0]["auc"]),
                )
                if there > here
            ]
            if found:
                said = True
                yield f"- {row['name']}, {delivery}: {', '.join(found)}"
    if not said:
        yield "Nowhere, in mean or in the worst family."


def _unseen(results: Mapping[str, Any]) -> Iterator[str]:
    rows = results["unseen"]
    if not rows:
        return
    folds = results["folds"]
    yield "\n## Families left out, in folds\n"
    fewest, most = (find(len(families) for families in folds.values()) for find in (min, max))
    ended, count = len(folds), results["fold_count"]
    which = (
        f"each of {count} folds" if ended == count else f"{ended} of {count} folds (the others were not run)"
    )
    yield (
        f"Ours at the same {results['crops']:,} crops, once for {which} of {fewest} to "
        f"{most} families that it never sees, neither in training nor in calibration: harder than leaving "
        "one out at a time, since relatives are gone with it. Families are sorted by kind and name and dealt "
        f"out in turn. {len(rows)} families, as delivered; beside each the AUC of `{OURS}`, which saw all "
        f"but {_joined(results['held_out'])}.\n"
    )
    mean = sum(row["auc"] for row in rows) / len(rows)
    seen = [row["seen_auc"] for row in rows if row["seen_auc"] is not None]
    balanced = min(rows, key=lambda row: float(row["balanced_accuracy"]))
    yield "| | goal | found |"
    yield "|---|---|---|"
    beside = f" ({sum(seen) / len(seen):.3f} where seen)" if seen else ""
    yield f"| AUC, mean | {UNSEEN_GOALS[0]} | {mean:.3f}{beside} |"
    yield f"| AUC, worst | {UNSEEN_GOALS[1]} | {rows[0]['auc']:.3f}: {rows[0]['name']} |"
    word = f"{balanced['balanced_accuracy']:.3f}: {balanced['name']}"
    yield f"| balanced accuracy at the frozen threshold, worst | {UNSEEN_GOALS[2]} | {word} |"
    yield ""
    yield "| family | fold | fakes | AUC unseen | AUC of ours | TPR at 1 % | balanced accuracy |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        beside = "" if row["seen_auc"] is None else f"{row['seen_auc']:.3f}"
        fold, tpr = row["fold"].removeprefix("fold "), f"{row['tpr_at_1_percent']:.1%}"
        cells = (row["name"], fold, row["fakes"], _with_interval(row), beside, tpr)
        yield f"| {' | '.join(map(str, cells))} | {row['balanced_accuracy']:.3f} |"


def _short_cuts(probes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "\n## Short cuts alone\n"
    yield (
        "What classifiers of [`touchstone lint`](evaluating.md#is-the-benchmark-itself-sound) reach on the "
        "same pictures, each by one thing that is no forgery. Those marked as advice do not fail a set: no "
        "detector sees file names, and the JPEG grid is told by the pixels.\n"
    )
    yield "| sees alone | AUC | 95 % interval |"
    yield "|---|---|---|"
    for probe in sorted(probes, key=lambda probe: (bool(probe["advisory"]), -float(probe["auc"]))):
        low, high = probe["interval"]
        name = f"{probe['name']} (advice)" if probe["advisory"] else probe["name"]
        yield f"| {name} | {probe['auc']:.3f} | {low:.3f} to {high:.3f} |"


def _with_interval(row: Mapping[str, Any]) -> str:
    low, high = row["auc_interval"]
    return f"{row['auc']:.3f} ({low:.3f} to {high:.3f})"


def _gain(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['gain']:+.3f} ({low:+.3f} to {high:+.3f})"


def _joined(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.exit(main())
