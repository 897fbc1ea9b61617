"""`touchstone testset`: adversarial test sets from recipes, built, checked and made anew."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from evidence.errors import UsageError
from touchstone.cli import testset_attack, testset_score
from touchstone.cli.guard import SOME_FAILED, Interrupted, patient_interrupts
from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from detector.lint import LintReport
    from exports.manifest import Row
    from testsets.bench import Bench, Made
    from testsets.build import Plan
    from worker.settings import Settings

group = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    testset_attack.register(group)
    testset_score.register(group)
    app.add_typer(group, name="testset", help="Build, check and score adversarial test sets.")


@group.command("list")
def list_recipes() -> None:
    """The ready recipes. Example: `touchstone testset list`"""
    from testsets.recipe import read, ready

    for name, path in ready().items():
        print(f"{name:<20} {read(path).about}")


@group.command()
def show(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A ready one, or a .toml file.")],
) -> None:
    """Print a recipe, to be read or to begin one's own. Example: `touchstone testset show quick-look`"""
    from testsets.recipe import find

    print(find(recipe).document.text, end="")


@group.command()
def build(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A ready one, or a .toml file.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="What the set is called.")],
    source: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Real pictures, or a labelled collection, instead of the recipe's."),
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="So many reals instead.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed: another set.")] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=256, help="Processes; else one a core.")
    ] = None,
    layout: Annotated[
        list[str] | None,
        typer.Option(
            help="Also as forensynths, genimage, deepfakebench, webdataset, imagefolder, parquet or csv."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Take a set that leaks; its card says so.")] = False,
    queue: Annotated[
        bool,
        typer.Option("--queue", help="Have the workers of the service make it; ours if nobody serves."),
    ] = False,
) -> None:
    """Build a test set from a recipe: reals, forgeries of them, manifest, cards, sheets, layouts.

    The same recipe, seed and reals give the same bytes, with any number of workers; the same command goes
    on where it was interrupted. The set grows in DIR.part. When it is whole the linter looks whether
    anything but the forgery tells real from fake; a set that leaks stays in DIR.part, with exit code 3,
    unless --force. Exit code 1 when some reals could not be used; those are named and left out. With
    --queue the set is a job of the store, and has the same bytes.

    Examples: `touchstone testset build quick-look --source photos/ --out quick-look/` · `touchstone testset
    build quick-look --source photos/ --out quick-look/ --queue`
    """
    from detector.lint import LIMIT
    from exports.runtime import default_threads
    from testsets.build import LINT_PAGE, examine, finished, put_in_place, require_sound
    from testsets.card import write_card, write_sheets
    from testsets.recipe import find
    from testsets.verify import rows_of
    from testsets.writers import write_layouts
    from touchstone.cli.testset_queue import Asked, through_queue
    from touchstone.report.card import write_lint
    from worker.settings import load_settings
    from worker.testset_recipes import opened

    settings, skipped = load_settings(), Skipped()
    layouts = _layouts(layout or ())
    wanted = find(recipe).of(source=source, count=count, seed=seed)
    found = opened(wanted, settings)
    made, bench = found.plan, found.bench
    if finished(made, out):
        print(f"{out} is this set already.")
        return
    if queue:
        asked = Asked(recipe, out, source, count, seed, tuple(layouts), force)
        report, left_out = through_queue(asked, made, settings)
        _tell(out, rows_of(out), report)
        raise typer.Exit(SOME_FAILED if left_out else 0)
    with patient_interrupts():
        try:
            part = _forged(settings, made, bench, out, workers or default_threads(), skipped)
            with _progress() as progress:
                task = progress.add_task("looking for short cuts", total=made.forgeries + len(made.orders))
                report = examine(part, lambda done: progress.update(task, completed=done))
        except KeyboardInterrupt:
            raise Interrupted("The same command goes on from here.") from None
    rows = rows_of(part)
    if report is not None:
        write_lint(part / LINT_PAGE, report, limit=LIMIT, dataset=wanted.name)
    write_sheets(part, rows)
    write_card(part, rows, forced=force)
    write_layouts(part, rows, dict.fromkeys((*wanted.layouts, *layouts)))
    if not force:
        require_sound(report)
    put_in_place(part, out)
    _tell(out, rows, report)
    raise typer.Exit(skipped.exit_code)


@group.command("layout")
def write_layout(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="The folder of a test set.")],
    layout: Annotated[list[str], typer.Argument(metavar="LAYOUT...", help="As --layout of build.")],
) -> None:
    """Write a set that is there in layouts of the field as well, below SET/layouts/.

    Example: `touchstone testset layout quick-look/ genimage webdataset`
    """
    from testsets.verify import rows_of
    from testsets.writers import write_layouts

    write_layouts(folder, rows_of(folder), _layouts(layout))
    for name in layout:
        print(folder / "layouts" / name)


@group.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="The folder of a test set.")],
    rebuild: Annotated[
        int, typer.Option(metavar="N", min=0, help="Make so many items anew, drawn by --seed.")
    ] = 0,
    item: Annotated[str, typer.Option(metavar="ID", help="Make this one anew, by its id or path.")] = "",
    source: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the reals lie now, if they were moved.")
    ] = None,
    target: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Where a detector that the set attacked lies now."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which items --rebuild draws.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="What was found as one JSON object.")] = False,
) -> None:
    """Check a test set: hashes, labels, twins, splits; and make items anew from their rows, to the bit.

    Exit code 1 when something is wrong.

    Examples: `touchstone testset verify quick-look/ --rebuild 20` · `touchstone testset verify quick-look/
    --item fake/splice/harbour`
    """
    from testsets.verify import Fault, bench_of, check, chosen, rows_of
    from testsets.verify import rebuild as made_anew
    from worker.marking import Marking
    from worker.scanner import installed_models
    from worker.settings import load_settings
    from worker.targets import open_steady

    rows = rows_of(folder)
    again = chosen(rows, item=item, count=rebuild, seed=seed)
    with _progress(hidden=json) as progress:
        task = progress.add_task("items", total=len(rows) + len(again))
        faults = list(check(folder, rows, lambda: progress.advance(task)))
        if again:
            settings = load_settings()
            bench = bench_of(
                folder,
                installed_models(settings),
                source,
                open_target=partial(open_steady, settings),
                targets=target or (),
                marks=partial(Marking, settings, unmarked=False),
                faces=settings.faces,
            )
            for row in again:
                if wrong := made_anew(bench, row):
                    faults.append(Fault(row["path"], wrong))
                progress.advance(task)
    if json:
        found = [{"path": fault.path, "what": fault.what} for fault in faults]
        print(json_module.dumps({"items": len(rows), "rebuilt": len(again), "faults": found}, indent=2))
    else:
        for fault in faults:
            print(f"{fault.path}: {fault.what}")
        same = f", {len(again)} of them made anew" if again else ""
        print(f"{len(rows)} items{same}: {f'{len(faults)} faults' if faults else 'all as the manifest says'}")
    raise typer.Exit(SOME_FAILED if faults else 0)


def _forged(settings: Settings, made: Plan, bench: Bench, out: Path, workers: int, skipped: Skipped) -> Path:
    from testsets.build import forge
    from touchstone.cli.recording import recording
    from worker.remembering import known_forgery

    marked = made.recipe.marks != "none"
    with recording(settings, remembered=marked) as record, _progress() as progress:
        task = progress.add_task("forgeries", total=made.forgeries)

        def keep(row: Row, one: Made | None) -> None:
            if row["label"] == "fake":
                if one is not None and one.pixels is not None and row["model_sha256"]:
                    pixels = one.pixels
                    record.made(row, lambda: known_forgery(row, pixels))
                progress.advance(task)

        return forge(made, bench, out, workers=workers, on_row=keep, on_failed=skipped.add)


def _tell(out: Path, rows: Sequence[Row], report: LintReport | None) -> None:
    fakes = sum(row["label"] == "fake" for row in rows)
    print(f"{len(rows) - fakes} reals and {fakes} forgeries in {out}; {_said(report)}")


def _layouts(names: Sequence[str]) -> Sequence[str]:
    from testsets.document import nearest
    from testsets.writers import WRITERS

    for name in names:
        if name not in WRITERS:
            raise UsageError(f"There is no layout {name!r}.", f"There are {nearest(name, WRITERS)}.")
    return names


def _said(report: LintReport | None) -> str:
    if report is None or report.verdict == "too few to tell":
        return "no short cut was found, and there are too few pictures to be sure."
    worst = max(probe.auc for probe in report.probes if not probe.advisory)
    return (
        f"it {'leaks' if report.verdict == 'failed' else 'has no short cut'}: the worst AUC is {worst:.3f}."
    )


def _progress(*, hidden: bool = False) -> Progress:
    return Progress(console=Console(stderr=True), transient=True, disable=hidden or not sys.stderr.isatty())
