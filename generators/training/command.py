"""What `touchstone train SYSTEM` does: settle a preset with its overrides, open the data, train."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evidence.errors import DataError, UsageError
from generators import catalogue
from generators.contract import Preset
from generators.data import shards
from generators.data.memory import Fit, ImageSet
from generators.training.loop import OnProgress, train
from generators.training.stats import RunRecord


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
    model = catalogue.build(system, settled.settled.config, settled.settled.optimisation, seed=seed)
    return train(
        model,
        open_data(settled.settled.data, model.image_shape, kind=catalogue.system(system).kind),
        out=out,
        seed=seed,
        budget_minutes=settled.settled.budget_minutes,
        resume=resume,
        on_progress=on_progress,
        command=settled.command,
    )


def open_data(data: str, image_shape: tuple[int, int, int], *, kind: catalogue.Kind) -> ImageSet:
    """The training set `data` in the shape a system wants: photos as native crops, others squared.

    Everything but digits is mirrored at random.
    """
    channels, side, _ = image_shape
    fit: Fit = "crop" if kind == "photos" else "square"
    flip = kind != "digits"
    if all(name in shards.NAMES for name in data.split("+")):
        names = data.split("+")
        sets = [ImageSet.from_shard(name, size=side, channels=channels, fit=fit, flip=flip) for name in names]
        return ImageSet.joined(sets) if len(sets) > 1 else sets[0]
    if Path(data).is_dir():
        return ImageSet.from_folder(Path(data), size=side, channels=channels, fit=fit, flip=flip)
    raise DataError(
        f"{data!r} is neither a picture folder nor a known data set.",
        f"Known sets: {', '.join(shards.NAMES)}.",
    )


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
