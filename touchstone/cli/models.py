"""`touchstone models`: what is installed, whether it is what was published, what can be fetched."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated

import typer

from touchstone.cli import diff, site
from touchstone.cli.guard import SOME_FAILED

if TYPE_CHECKING:
    from exports.registry import ModelEntry

_HEADINGS = ("model, * is the default", "what it does", "MB", "images", "alarms")

group = typer.Typer()


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    site.register(group)
    diff.register(group)
    app.add_typer(group, name="models")


@group.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Every field of every model, as JSON.")] = False,
) -> None:
    """What is installed: its task, images seen in training, false alarms as calibrated.

    --json has all that is known of each.

    Example: `touchstone models --json`
    """
    if context.invoked_subcommand is not None:
        return
    from worker.scanner import installed_models
    from worker.settings import load_settings

    entries = list(installed_models(load_settings()))
    if json:
        print(json_module.dumps([entry.to_dict() for entry in entries], indent=2))
        return
    for cells in [_HEADINGS, *map(_cells, entries)]:
        print("{:<42}{:<16}{:>8}{:>11}{:>8}".format(*cells))


@group.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="One model; else all.")] = None,
) -> None:
    """Check that each model file has the sum that was published. Exit code 1 when one has not.

    Example: `touchstone models verify`
    """
    from evidence.errors import ModelError
    from worker.scanner import installed_models
    from worker.settings import load_settings

    installed = installed_models(load_settings())
    wrong = 0
    for entry in [installed.get(name)] if name else list(installed):
        try:
            entry.read()
            print(f"right  {entry.label}  {entry.sha256}")
        except ModelError as error:
            wrong += 1
            print(f"WRONG  {entry.label}  {error.code}: {error}")
    raise typer.Exit(SOME_FAILED if wrong else 0)


@group.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="yunet", help="What to fetch.")],
) -> None:
    """Download a file that cannot be shipped with our code, and check its sum.

    Example: `touchstone models fetch yunet`
    """
    from touchstone.cli.fetching import fetch_file
    from worker.settings import load_settings

    print(fetch_file(name, load_settings().data_dir))


def _cells(entry: ModelEntry) -> tuple[str, ...]:
    seen, calibration = entry.training.get("images_seen"), entry.calibration or {}
    rate = f"{calibration['false_alarm_rate']:.1%}" if calibration.get("n") else ""
    return (
        f"{entry.label} {'*' if entry.default else ''}",
        entry.task if entry.kind == "generator" else entry.kind,
        f"{entry.size_bytes / 1e6:.2f}",
        f"{seen:,}" if isinstance(seen, int) else "",
        rate,
    )
