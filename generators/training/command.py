"""What `touchstone train SYSTEM` does: settle a preset with its overrides, open the data, train."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evidence.errors import UsageError
from generators import catalogue
from generators.contract import Preset
from generators.data.opening import open_data
from generators.training import checkpoint
from generators.training.loop import OnProgress, Progress, train
from generators.training.machine import translated
from generators.training.stats import RunRecord
from generators.verdict import Judgement, judge


@dataclass(frozen=True)
class Plan:
    """A run as it would be: what `--dry-run` shows and `run` carries out."""

    system: str
    preset: str
    settled: Preset
    seed: int
    command: str

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, for printing as JSON."""
        return asdict(self)


def plan(
    system: str,
    *,
    data: str | None = None,
    preset: str = "shipped",
    budget_minutes: float | None = None,
    seed: int = 0,
    overrides: dict[str, str] | None = None,
    out: Path | None = None,
) -> Plan:
    """The settled configuration of a run; raises UsageError on a field or value that does not exist."""
    known = catalogue.options(catalogue.preset(system, preset))
    values = {name: _parsed(name, text, known) for name, text in (overrides or {}).items()}
    chosen = catalogue.preset(system, preset, **values)
    settled = Preset(
        config=chosen.config,
        optimisation=chosen.optimisation,
        data=data or chosen.data,
        budget_minutes=chosen.budget_minutes if budget_minutes is None else budget_minutes,
        floors=chosen.floors,
    )
    words = ["touchstone", "train", system, "--preset", preset, "--data", settled.data]
    words += ["--budget-minutes", f"{settled.budget_minutes:g}", "--seed", str(seed)]
    words += [word for name, text in (overrides or {}).items() for word in ("--set", f"{name}={text}")]
    words += ["--out", str(out)] if out is not None else []
    return Plan(system, preset, settled, seed, shlex.join(words))


def run(
    system: str,
    *,
    data: str | None = None,
    preset: str = "shipped",
    budget_minutes: float | None = None,
    out: Path,
    resume: bool = False,
    seed: int = 0,
    overrides: dict[str, str] | None = None,
    on_progress: OnProgress | None = None,
) -> RunRecord:
    """Train `system` into the run folder `out`.

    `data` is a picture folder, or a set of `generators/data/shards.py` or several joined by "+"; None takes
    the preset's. `overrides` are fields of the config or the optimisation as text.
    """
    settled = plan(
        system,
        data=data,
        preset=preset,
        budget_minutes=budget_minutes,
        seed=seed,
        overrides=overrides,
        out=out,
    )
    try:
        return _carried_out(settled, out=out, resume=resume, on_progress=on_progress)
    except (RuntimeError, MemoryError) as error:
        raise translated(error, settled.settled.optimisation.batch, checkpoint.kept(out)) from error


def _carried_out(settled: Plan, *, out: Path, resume: bool, on_progress: OnProgress | None) -> RunRecord:
    """Build, train and judge."""
    system, seed = settled.system, settled.seed
    chosen, kind = settled.settled, catalogue.system(system).kind
    model = catalogue.build(system, chosen.config, chosen.optimisation, seed=seed)
    opened = open_data(chosen.data, model.image_shape, kind=kind)
    if model.fitted(opened) != chosen.config:
        model = catalogue.build(system, model.fitted(opened), chosen.optimisation, seed=seed)
    record = train(
        model,
        opened,
        out=out,
        seed=seed,
        budget_minutes=chosen.budget_minutes,
        resume=resume,
        on_progress=on_progress,
        command=settled.command,
    )
    if record.stopped != "interrupted":
        judgement = judge_run(out, chosen, kind, trusted=system)
        if judgement.words and on_progress is not None:
            seen, total = record.images_seen, chosen.optimisation.total_images
            on_progress(Progress(seen, total, record.seconds, 0.0, 0.0, record.losses, judgement.words))
    return record


def judge_run(out: Path, preset: Preset, kind: str, *, trusted: str = "") -> Judgement:
    """The verdict on the finished run in `out`, by held-out data of its `preset`; written beside it.

    `trusted` is as in `catalogue.restore`.
    """
    model = catalogue.restore(out, trusted=trusted)
    held_out = open_data(preset.data, model.image_shape, kind=kind, split="test")
    judgement = judge(model, held_out, preset.floors)
    judgement.write(out)
    return judgement


def _parsed(name: str, text: str, known: dict[str, Any]) -> Any:
    """`text` as the type the option has now; tuples are written 1,2,3."""
    if name not in known:
        raise UsageError(f"There is no option {name!r}.", f"The options are {', '.join(known)}.")
    now = known[name]
    try:
        if isinstance(now, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(now, tuple):
            return tuple(type(now[0])(part) for part in text.split(","))
        if isinstance(now, str):
            return text
        return type(now)(json.loads(text))
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{name}={text} is not of the kind of its present value {now!r}.", "Write --set field=value."
        ) from error
