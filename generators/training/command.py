"""What `touchstone train SYSTEM` does: settle a preset with its overrides, open the data, train."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evidence.errors import UsageError
from generators import catalogue
from generators.contract import AdversarialModel, Preset
from generators.data.opening import open_data
from generators.options import as_set
from generators.training import checkpoint
from generators.training.loop import OnProgress, Progress, train
from generators.training.machine import translated
from generators.training.stats import RunRecord
from generators.verdict import Judgement, judge

# What networks of sizes that do not fit each other fail with.
_FAULTS = (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)


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
    blaming = partial(_blaming, settled, overrides or {}, out)
    try:
        return _carried_out(settled, blaming, out=out, resume=resume, on_progress=on_progress)
    except (RuntimeError, MemoryError) as error:
        raise translated(error, settled.settled.optimisation.batch, checkpoint.kept(out)) from error


@contextmanager
def _blaming(
    settled: Plan, overrides: Mapping[str, str], out: Path, model: AdversarialModel | None = None
) -> Iterator[None]:
    """Within the block a fault before the first step of `model` is laid to what was set, if anything was.

    The preset's own values train, so a network that cannot be built or run is one of other values. The
    folder is free again for better ones.
    """
    try:
        yield
    except _FAULTS as error:
        begun, own = model is not None and model.images_seen > 0, ".py:" in settled.system
        if not overrides or begun or own or translated(error, 0, "") is not error:
            raise
        usual = catalogue.options(catalogue.preset(settled.system, settled.preset))
        blamed = {name: text for name, text in overrides.items() if name != "total_images"} or overrides
        if not (out / checkpoint.CHECKPOINT).is_file():
            (out / checkpoint.CONFIG).unlink(missing_ok=True)
        raise UsageError(
            f"{settled.system} cannot be trained with {_listed(blamed)}: {checkpoint.said_by(error)}.",
            f"Its preset {settled.preset} has {_listed({name: usual[name] for name in blamed})}.",
        ) from error


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={as_set(value)}" for name, value in values.items())


def _carried_out(
    settled: Plan,
    blaming: Callable[..., AbstractContextManager[None]],
    *,
    out: Path,
    resume: bool,
    on_progress: OnProgress | None,
) -> RunRecord:
    """Build, train and judge."""
    system, seed = settled.system, settled.seed
    chosen, kind = settled.settled, catalogue.system(system).kind
    with blaming():
        model = catalogue.build(system, chosen.config, chosen.optimisation, seed=seed)
    opened = open_data(chosen.data, model.image_shape, kind=kind)
    if model.fitted(opened) != chosen.config:
        model = catalogue.build(system, model.fitted(opened), chosen.optimisation, seed=seed)
    with blaming(model):
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
