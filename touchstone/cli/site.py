"""`touchstone models calibrate FOLDER`: a detector's bias set to the photographs of a site."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Annotated

import typer

from touchstone.cli.skipped import Skipped


def register(group: typer.Typer) -> None:
    """Add the command to the group of `touchstone models`."""
    group.command()(calibrate)


def calibrate(
    photographs: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Genuine photographs of the site, 50 or more.")
    ],
    to: Annotated[Path, typer.Option(metavar="DIR", help="Publish in this models folder.")],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another detector than the default one.")
    ] = None,
    release: Annotated[
        str | None, typer.Option("--version", help="The version that is published; else VERSION+site.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="What was found, as JSON.")] = False,
) -> None:
    """Set a detector's bias to a site's own photographs, if no more of them alarm than before.

    Give one picture of each scene or person, as they arrive. The detector is published anew with that bias,
    as the default of the models folder; nothing is published when more photographs would be called fake.
    Exit code 1 when files could not be read; those are named and left out.

    Example: `touchstone models calibrate desk-photos/ --to models/`
    """
    from rich.console import Console
    from rich.progress import Progress

    from detector.layouts import unlabelled
    from detector.site import refit
    from evidence.errors import UsageError
    from exports.bundle import publish
    from exports.registry import Registry
    from touchstone.cli.export import models_folder
    from touchstone.cli.measuring import opened_detector
    from worker.scanner import find_detector
    from worker.settings import load_settings

    settings, skipped = load_settings(model=model), Skipped()
    entry = find_detector(settings)
    if entry.foreign is not None:
        raise UsageError(
            f"{entry.label} is a third-party detector.",
            "Its threshold stands in the TOML beside it; docs/add-a-detector.md says how.",
        )
    if not photographs.is_dir():
        raise UsageError(f"{photographs} is no folder.", "Name a folder of genuine photographs.")
    entries = list(unlabelled(photographs, "real"))
    with (
        opened_detector(settings) as detector,
        Progress(console=Console(stderr=True), transient=True, disable=json) as progress,
    ):
        task = progress.add_task("photographs", total=len(entries))
        scored = list(
            detector.scorer.score(
                entries,
                on_progress=lambda done: progress.update(task, completed=done),
                on_failed=lambda item, error: skipped.add(item.key, error),
            )
        )
    stills = [item for item in scored if item.short_side is not None]
    found = refit(detector.calibration, stills)
    published = publish(
        entry.name,
        entry.path,
        {**entry.to_dict(), "calibration": found.calibration.to_dict()},
        version=release or f"{entry.version}+site",
        kind="detector",
        default=True,
        models=Registry([models_folder(to)]),
    )
    if json:
        figures = {key: value for key, value in vars(found).items() if key != "calibration"}
        print(json_module.dumps({"model": published.label, "path": str(published.path), **figures}, indent=2))
    else:
        print(f"{published.label}  {published.path}")
        print(
            f"The bias moved by {found.shift:+.2f}. Of {found.pictures} photographs {found.alarms_before} "
            f"were called fake before and {found.alarms_after} are now, each judged without its own part in "
            f"the fit: at most {found.at_most:.1%} of such photographs, with 95 % certainty."
        )
    if len(stills) < len(scored):
        print("touchstone: note: videos were left out; the bias is set to stills.", file=sys.stderr)
    raise typer.Exit(skipped.exit_code)
