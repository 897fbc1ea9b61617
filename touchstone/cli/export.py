"""`touchstone export NAME`: a training run becomes a published model, if file and network agree."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from evidence.errors import UsageError
from touchstone.cli.extras import train_extra


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(export)


def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the model is called from now on.")],
    run: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of the training run; else runs/NAME.")
    ] = None,
    release: Annotated[str, typer.Option("--version", help="The model's version.")] = "0.1.0",
    licence: Annotated[str, typer.Option(help="The licence of the weights.")] = "Apache-2.0",
    default: Annotated[bool, typer.Option("--default", help="Make it the default of its kind.")] = False,
    facts: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="What the run cannot know: calibration, limits, metrics."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Publish in this models folder; else where ours ship.")
    ] = None,
    int8: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            help="Publish NAME-int8 of the installed detector NAME, judged on labelled pictures.",
        ),
    ] = None,
    part: Annotated[
        str, typer.Option(metavar="PART", help="Which graph, of a system that gives several.")
    ] = "",
    half: Annotated[
        bool, typer.Option("--half", help="Store a generator's weights in half precision.")
    ] = False,
    trust: Annotated[
        str, typer.Option(metavar="FILE.py:CLASS", help="Run this file, for a run of your own system.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="The row of models.json as JSON.")] = False,
) -> None:
    """Publish a trained network as ONNX with its card, if the two agree (the parity gate).

    A run below its floor, or that nobody judged, becomes no model. A run of FILE.py:CLASS is read only
    with --trust and that name, since it runs the file. With --int8 the integer form of a published
    detector, if it answers alike (the quantisation gate).

    Examples: `touchstone export dcgan-faces --run runs/dcgan --version 0.1.0` · `touchstone export
    touchstone-detector --int8 twins/`
    """
    with train_extra("export"):
        from exports.command import export_int8, export_run
    from exports.registry import Registry
    from worker.scanner import installed_models
    from worker.settings import load_settings

    models = None if to is None else Registry([models_folder(to)])
    if int8 is not None:
        if run is not None or facts is not None or part or half or trust:
            raise UsageError(
                "--int8 takes none of --run, --facts, --part, --half, --trust.",
                "It starts from a published model.",
            )
        entry = export_int8(installed_models(load_settings()).get(name), int8, default=default, models=models)
    else:
        entry = export_run(
            run or Path("runs") / name,
            name,
            release,
            licence=licence,
            default=default,
            facts=_facts(facts),
            models=models,
            part=part,
            half=half,
            trusted=trust,
        )
    for sentence in entry.metrics.get("verdict", {}).get("unmeasured", ()):
        print(f"{entry.label}: {sentence}", file=sys.stderr)
    print(json_module.dumps(entry.to_dict(), indent=2) if json else f"{entry.label}  {entry.path}")


def _facts(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        found = json_module.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}.", "Correct it.") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} holds no JSON object.", "Write {...} with calibration, limits or metrics.")
    return found


def models_folder(path: Path) -> Path:
    """The folder, made where there is none. Raises UsageError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be a models folder: {error.strerror}.", "Name another.") from None
    return path
