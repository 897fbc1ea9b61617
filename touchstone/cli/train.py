"""`touchstone train SYSTEM|detector`: one training loop for every GAN, one for the detector."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evidence.errors import UsageError
from touchstone.cli.extras import train_extra
from touchstone.cli.guard import Interrupted

if TYPE_CHECKING:
    from detector.train import TrainConfig

DETECTOR = "detector"
DETECTOR_PRESET = "shipped"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(train)


def train(
    system: Annotated[str, typer.Argument(metavar="SYSTEM|detector", help="What to train.")],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SET|DIR", help="A known set, a picture folder; for the detector a forge folder."
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help="A named configuration of the system.")] = "shipped",
    budget_minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Stop after so many minutes, over all sittings.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run folder; else runs/SYSTEM.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="The same seed and data give the same weights on a CPU.")
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in this folder.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Override a field; repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the configuration and stop.")] = False,
    add: Annotated[
        Path | None,
        typer.Option(metavar="SET", help="For the detector: new forgeries to learn, 30 or more."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --add: the run that knows the twins in --data.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --add: publish in this models folder.")
    ] = None,
) -> None:
    """Train a generator or the detector.

    With --add the detector of the run --start learns a new family beside the twins in --data. It is
    calibrated, held against the detector in service and, when every gate holds, published in --to as the
    default one; exit code 1 when one does not.

    Examples: `touchstone train dcgan --budget-minutes 20` · `touchstone train detector --data twins/ --set
    learning_rate=1e-3` · `touchstone train detector --data twins/ --start runs/readout --add new-fakes/ --to
    models/ --out runs/learned`
    """
    options = TrainOptions(
        system=system,
        data=data,
        preset=preset,
        budget_minutes=budget_minutes,
        out=out or Path("runs") / system,
        seed=seed,
        resume=resume,
        overrides=dict(_assignment(text) for text in settings or ()),
    )
    if add is not None or start is not None or to is not None:
        from touchstone.cli.learning import learn

        raise typer.Exit(learn(options, add, start, to, dry_run=dry_run))
    plan, run = (_plan_detector, _run_detector) if system == DETECTOR else (_plan_system, _run_system)
    with train_extra("train"):
        if dry_run:
            print(json.dumps(plan(options), indent=2, default=str))
            return
        if resume:
            _require_run(options.out)
        stopped = run(options)
    if stopped == "interrupted":
        raise Interrupted("Everything is saved; go on with the same command and --resume.")
    print(options.out)


@dataclass(frozen=True)
class TrainOptions:
    """What was asked for on the command line; None leaves a choice to the preset."""

    system: str
    data: str | None
    preset: str
    budget_minutes: float | None
    out: Path
    seed: int
    resume: bool
    overrides: dict[str, str]


def _require_run(folder: Path) -> None:
    """Raise UsageError where there is no run to go on with; say so where it goes on from nothing."""
    from generators.training import checkpoint

    checkpoint.require_run(folder)
    if not (folder / checkpoint.CHECKPOINT).is_file():
        print(f"{checkpoint.kept(folder)} The run begins at its start.", file=sys.stderr)


def _plan_system(options: TrainOptions) -> dict[str, Any]:
    """The settled configuration of a GAN's run."""
    from generators.training import command

    return command.plan(options.system, **_asked(options)).to_dict()


def _run_system(options: TrainOptions) -> str:
    """Train a GAN; returns why it stopped."""
    from generators.training import command

    return command.run(
        options.system,
        **_asked(options),
        resume=options.resume,
        on_progress=lambda p: tell(
            p.images_seen, p.seconds_left, p.losses, p.notice or f"{p.images_per_second:.0f}/s"
        ),
    ).stopped


def _asked(options: TrainOptions) -> dict[str, Any]:
    names = ("data", "preset", "budget_minutes", "seed", "overrides", "out")
    return {name: getattr(options, name) for name in names}


def _plan_detector(options: TrainOptions) -> dict[str, Any]:
    """The settled configuration of the detector's run."""
    names = ("system", "preset", "data", "budget_minutes", "seed")
    asked = {name: getattr(options, name) for name in names}
    return {**asked, "settled": dataclasses.asdict(detector_config(options))}


def _run_detector(options: TrainOptions) -> str:
    """Train the detector; returns why it stopped."""
    from detector.train import train_detector

    if options.data is None:
        raise UsageError("The detector needs --data: a folder of aligned twins.", "Make one with the forge.")
    return train_detector(
        Path(options.data),
        options.out,
        config=detector_config(options),
        budget_minutes=options.budget_minutes,
        seed=options.seed,
        resume=options.resume,
        on_progress=lambda p: tell(p.crops_seen, p.left_seconds, p.losses, f"auc {p.auc:.4f}"),
    ).stopped


def detector_config(options: TrainOptions, config: TrainConfig | None = None) -> TrainConfig:
    """The settled configuration: `config`, or else the shipped one, with what was overridden."""
    from detector.train import TrainConfig

    if options.preset != DETECTOR_PRESET:
        raise UsageError(
            f"The detector has no preset {options.preset!r}.",
            f"It has {DETECTOR_PRESET!r} alone; change its fields with --set.",
        )
    config = config or TrainConfig()
    for name, text in options.overrides.items():
        config = _with(config, name.split("."), text)
    return config


def _assignment(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise UsageError(f"--set {text} is no assignment.", "Write --set field=value.")
    return name, value


def _with(config: Any, path: list[str], text: str) -> Any:
    """The dataclass with the field at `path`, such as ["pairs", "batch"], set to what `text` says."""
    known = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    name, *rest = path
    if name not in known:
        raise UsageError(f"There is no field {name!r}.", f"The fields are {', '.join(known)}.")
    if rest and not dataclasses.is_dataclass(known[name]):
        raise UsageError(f"The field {name!r} holds no fields of its own.", f"It is {known[name]!r}.")
    return dataclasses.replace(
        config, **{name: _with(known[name], rest, text) if rest else _parsed(name, known[name], text)}
    )


def _parsed(name: str, now: Any, text: str) -> Any:
    """`text` as a value of the kind the field has now; numbers, true, false and [lists] are JSON."""
    try:
        value = text if isinstance(now, str) else json.loads(text)
    except ValueError:
        value = text
    if isinstance(now, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(now, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if now is not None and type(value) is not type(now):
        raise UsageError(f"--set {name}={text} is not of the kind of its present value {now!r}.")
    return value


def tell(seen: int, seconds_left: float, losses: dict[str, float], notice: str) -> None:
    """One line on standard error for each piece of news of a run."""
    shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
    line = f"{seen:>10,} seen  {seconds_left / 60:6.1f} min left  {shown}  {notice}"
    print(line.rstrip(), file=sys.stderr)
