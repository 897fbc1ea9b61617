"""Calibrate a detector on the "cal" twins and measure it on the "test" twins, along the scan path.

How pictures are delivered and scored is told by `exports/calibrating.py`.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from detector.evaluate import Evaluation, Row, tabulate
from detector.lint import lint
from detector.readers import MANIFEST, Entry, read
from detector.thresholds import Calibration
from evidence.digest import sha256_file
from exports.calibrating import DELIVERIES, Reading, calibrated, readings
from exports.registry import ModelEntry
from exports.runtime import Detector, family_names, open_detector
from generators.data.shards import load
from generators.systems.reconstruction import HELD_OUT_FAMILIES
from worker.settings import load_settings

# Pictures a set adds to calibration besides the reals that have twins.
MORE_REALS = {"faces-lfw": 150, "faces-celeba": 150, "captions": 40}
GROUPS = (
    "seen decoders",
    "decoders left out",
    "seen decoders, forged as a whole",
    "seen decoders, forged in a part",
    "decoders left out, forged as a whole",
)
DECODERS = "reconstruction"  # the kind that those groups are of; every other kind is a group of its own
LIMITS = (
    "It reads traces of generation in the pixels. Staged scenes and false captions leave none, and it says "
    "nothing about them; splices of genuine photographs leave few.",
    "Its fakes in training were made by the generators of this project, the largest of 15 million weights. "
    "Large diffusion models were not measured; expect misses there.",
    "It names the family of a generator only among those it was trained on, and only where such naming was "
    "right often enough on pictures it had not seen; else it says `unknown`.",
    "Scaling a forgery down to three quarters of its sides hides much of it, and so does a decoder that no "
    "more than doubles the resolution; the tables say how much. A `real` on a resized picture is weak.",
    "Small pictures (below 64 px), JPEG below quality 30, drawings and screenshots of text lie outside what "
    "it was measured on; the scan says so and answers `uncertain`.",
    "Thresholds hold for pictures like the calibration reals. Another source may alarm more often.",
)


@dataclass(frozen=True)
class Measured:
    """What calibration and measurement found, in plain JSON types."""

    calibration: dict[str, Any]
    metrics: dict[str, Any]
    rows: list[dict[str, Any]]
    false_alarms: list[dict[str, Any]]
    data: list[dict[str, Any]]
    splits: dict[str, Any]
    detector_sha256: str
    manifest_sha256: str


def measure(model: ModelEntry, twins: Path) -> Measured:
    """Calibrate on the split "cal", measure on "test"; takes minutes on two cores."""
    session = open_detector(model)
    paired = read(twins, split="cal")
    with tempfile.TemporaryDirectory() as scratch:
        reals = [*paired, *_more_reals(Path(scratch), {entry.key for entry in paired})]
        cal = _read(session, reals)
    test = _read(session, read(twins, split="test"))
    calibration = calibrated(cal, family_names(model))
    margin = calibration.part_margin
    tables = {
        name: tabulate([r.scored(margin) for r in test if r.delivery == name], calibration)
        for name in DELIVERIES
    }
    return Measured(
        calibration=calibration.to_dict(),
        metrics=_metrics(test, margin, calibration, tables)
        | {f"{name}, naming of families": _named(table) for name, table in tables.items() if table.naming}
        | {"probes": _probes(twins)},
        rows=[plain(row) for row in tables["as delivered"].rows],
        false_alarms=_alarms(tables, test, margin, calibration),
        data=_data(twins),
        splits={
            "by": "person for faces, else picture; the stored val part is the test split",
            "families never trained on": ", ".join(HELD_OUT_FAMILIES),
            "calibrated and measured on the manifest with sha256": sha256_file(twins / MANIFEST),
        },
        detector_sha256=model.sha256,
        manifest_sha256=sha256_file(twins / MANIFEST),
    )


def _more_reals(folder: Path, paired: set[str]) -> list[Entry]:
    """Genuine pictures of the "cal" split that have no twins: they steady the false-alarm rate."""
    found = []
    for name, count in MORE_REALS.items():
        items = [item for item in load(name, "cal") if f"real/{item.source}-{item.key}.jpg" not in paired]
        for item in items[:: max(1, len(items) // count)][:count]:
            path = folder / f"{item.source}-{item.key}.jpg"
            path.write_bytes(item.data)
            found.append(Entry(path, path.name, "real", source=item.source, group=item.group, split="cal"))
    return found


def _read(session: Detector, entries: Sequence[Entry]) -> list[Reading]:
    """Every entry under every delivery, counted at the terminal."""
    seen = track(entries, "pictures", console=Console(stderr=True), transient=True)
    return readings(session, seen, load_settings().tiles_per_image)


def _metrics(
    test: Sequence[Reading], margin: float, calibration: Calibration, tables: dict[str, Evaluation]
) -> dict[str, Any]:
    """AUC of seen and unseen families, whole twins and partial ones, for each delivery."""
    found: dict[str, Any] = {}
    for name, table in tables.items():
        mine = [r for r in test if r.delivery == name]
        kinds = sorted({r.entry.kind for r in mine if r.entry.label == "fake"} - {DECODERS})
        for group in (*GROUPS, *kinds):
            chosen = [
                replace(
                    s, entry=replace(s.entry, family=group if s.entry.label == "fake" else ""), families=None
                )
                for s in (
                    r.scored(margin) for r in mine if r.entry.label == "real" or group in _groups(r.entry)
                )
            ]
            found[f"{name}, {group}"] = plain(tabulate(chosen, calibration).rows[0])
        found[f"{name}, worst family"] = plain(table.rows[0])
    return found


def _groups(entry: Entry) -> tuple[str, ...]:
    """Which of `GROUPS` a forgery belongs to, or its kind."""
    if entry.kind != DECODERS:
        return (entry.kind,)
    family = "decoders left out" if entry.family in HELD_OUT_FAMILIES else "seen decoders"
    return family, f"{family}, forged {'as a whole' if entry.mask is None else 'in a part'}"


def plain(row: Row) -> dict[str, Any]:
    """A row with figures rounded to what the number of pictures can carry."""
    return {
        "name": row.name,
        "reals": row.reals,
        "fakes": row.fakes,
        "auc": round(row.auc, 4),
        "auc_interval": [round(bound, 4) for bound in row.auc_interval],
        "tpr_at_1_percent": round(row.tpr_at_1_percent, 4),
        "real_accuracy": round(row.real_accuracy, 4),
        "fake_accuracy": round(row.fake_accuracy, 4),
    }


def _named(table: Evaluation) -> dict[str, Any]:
    """How well the naming of families holds, in figures that a card can carry."""
    assert table.naming is not None
    found = asdict(table.naming)
    return {name: round(value, 4) for name, value in found.items() if isinstance(value, (int, float))}


def _alarms(
    tables: dict[str, Evaluation], test: Sequence[Reading], margin: float, calibration: Calibration
) -> list[dict[str, Any]]:
    """False alarms by source, and by what was done to hard reals, for each delivery."""
    hard = {
        name: tabulate(
            [
                replace(s, entry=replace(s.entry, source=f"any source, {s.entry.treatment}"), families=None)
                for s in (r.scored(margin) for r in test if r.delivery == name and r.entry.treatment)
            ],
            calibration,
        )
        for name in tables
    }
    rows = [
        {
            "source": source.source,
            "delivery": name,
            "reals": source.reals,
            "called_fake": source.false_alarms,
            "rate": round(source.false_alarm_rate, 4),
        }
        for name, table in tables.items()
        for source in (*table.sources, *hard[name].sources)
    ]
    return sorted(rows, key=lambda row: -float(row["rate"]))


def _probes(twins: Path) -> dict[str, float]:
    """AUC of each short-cut classifier on the test split; names of files are neutral to the scan."""
    found = lint(read(twins, split="test")).probes
    return {probe.name: round(probe.auc, 4) for probe in found if not probe.advisory}


def _data(twins: Path) -> list[dict[str, Any]]:
    """How many pictures of each source and label each split holds."""
    counts = Counter((entry.split, entry.source, entry.label) for entry in read(twins))
    return [
        {"split": split, "source": source, "label": label, "pictures": count}
        for (split, source, label), count in sorted(counts.items())
    ]
