"""`touchstone train detector --add SET`: a new family is learned, judged, and published if all gates hold."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from evidence.errors import UsageError
from touchstone.cli.export import models_folder
from touchstone.cli.extras import train_extra
from touchstone.cli.guard import DONE, SOME_FAILED, Interrupted
from touchstone.cli.train import TrainOptions, detector_config, tell

_NEEDED = "Learning a new family needs --add SET, --start RUN, --data TWINS, --to DIR and --out RUN."


def learn(
    options: TrainOptions, add: Path | None, start: Path | None, to: Path | None, *, dry_run: bool
) -> int:
    """Do what the command says; returns its exit code. Raises UsageError, Interrupted."""
    if add is None or start is None or to is None or options.data is None or options.system != "detector":
        raise UsageError(
            _NEEDED, "It is for the detector: the twins it knows are replayed, its run is started from."
        )
    if options.out.resolve() == start.resolve():
        raise UsageError(
            f"--out is the run that is started from, {start}.", "Name another folder, such as runs/learned."
        )
    with train_extra("train"):
        from exports import learning
    from exports.registry import Registry
    from worker.scanner import calibration_of, find_detector
    from worker.settings import load_settings

    config = detector_config(options, learning.CONFIGURATION)
    if dry_run:
        print(json.dumps({"add": str(add), "settled": dataclasses.asdict(config)}, indent=2, default=str))
        return DONE
    settings = load_settings()
    service = find_detector(settings)
    order = learning.Order(
        twins=Path(options.data),
        added=add,
        start=start,
        out=options.out,
        service=service,
        reading=calibration_of(service),
        name=service.name,
        version=f"{service.version}+{add.resolve().name}",
        tiles=settings.tiles_per_image,
        budget_minutes=options.budget_minutes,
        seed=options.seed,
    )
    found = learning.learn(
        order,
        Registry([models_folder(to)]),
        resume=options.resume,
        config=config,
        on_progress=lambda p: tell(p.crops_seen, p.left_seconds, p.losses, f"auc {p.auc:.4f}"),
        on_judging=_judging,
    )
    if found.stopped == "interrupted":
        raise Interrupted("Everything is saved; go on with the same command and --resume.")
    for gate in found.gates:
        print(f"{'holds ' if gate.holds else 'FAILS '} {gate.name}: {gate.found}")
    if found.entry is None:
        print(f"{service.label} stays in service: not every gate holds.")
        return SOME_FAILED
    print(f"{found.entry.label}  {found.entry.path}")
    return DONE


def _judging(done: int, of: int) -> None:
    if done % 100 == 0 or done == of:
        print(f"{done:>10,} of {of:,} pictures judged", file=sys.stderr)
