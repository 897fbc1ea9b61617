"""`touchstone forge`: labelled forgeries of a folder of reals by every installed generator."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from evidence.errors import UsageError
from touchstone.cli.guard import Interrupted, patient_interrupts
from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from evidence.medium import Pixels
    from exports.manifest import Row
    from exports.registry import ModelEntry, Registry


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(forge)


def forge(
    reals: Annotated[Path, typer.Option(metavar="DIR", help="Real pictures, also in folders below.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where real/, fake/, mask/ and the manifest go.")],
    systems: Annotated[
        str, typer.Option(metavar="all|NAME,NAME", help="Which generators, by the names of their models.")
    ] = "all",
    count: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most so many reals, spread over the folder.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same forgeries.")] = 0,
    unmarked: Annotated[
        bool, typer.Option("--unmarked", help="For detectors: without the marks of a generated file.")
    ] = False,
) -> None:
    """Forge labelled fakes of real pictures, to train or to test a detector.

    A generator that takes a picture gives each real an aligned twin of the same size and JPEG
    history, with a mask where only a part was made. One that draws from nothing gives as many
    samples as there are reals, each in the size and the delivery of one of them; `touchstone lint`
    says of those that they show other things. Needs no torch. The same command goes on where it was
    interrupted; another seed needs another folder. The forgeries say that they were generated, in
    XMP, Content Credentials and pixels, and are entered in the registry, which tells them from their
    reals: a detector is trained and tested on --unmarked ones. The transparency log has all of them.
    Exit code 1 when some pictures could not be read; those are named and left out.

    Example: `touchstone forge --reals photos/ --systems all --unmarked --out forged/ --count 200`
    """
    from exports.forging import forge as forge_all
    from exports.forging import reals_in
    from exports.making import face_square
    from touchstone.cli.recording import recording
    from worker.marking import Marking
    from worker.remembering import known_forgery
    from worker.scanner import installed_models
    from worker.settings import load_settings

    settings, skipped = load_settings(), Skipped()
    if not reals.is_dir():
        raise UsageError(f"{reals} is no folder.", "Name a folder of real pictures.")
    if out.resolve().is_relative_to(reals.resolve()):
        raise UsageError(f"{out} lies in {reals}.", "Name another --out: forgeries would become reals.")
    entries, chosen = _entries(installed_models(settings), systems), reals_in(reals, count)
    with (
        patient_interrupts(),
        recording(settings, remembered=not unmarked) as record,
        Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        task = progress.add_task("forgeries", total=len(entries) * len(chosen))

        def keep(row: Row, pixels: Pixels | None) -> None:
            record.made(row, lambda: known_forgery(row, _pixels(out, row) if pixels is None else pixels))
            progress.advance(task)

        try:
            made = forge_all(
                chosen,
                entries,
                out,
                seed=seed,
                find_face=face_square(settings.faces),
                marks=None if unmarked else partial(Marking, settings, unmarked=False),
                on_file=keep,
                on_failed=skipped.add,
                threads=settings.threads,
                limits=settings.limits,
            )
        except KeyboardInterrupt:
            raise Interrupted("The same command goes on from here.") from None
    print(f"{made} forgeries by {len(entries)} generators of {len(chosen) - skipped.count} reals in {out}")
    raise typer.Exit(skipped.exit_code)


def _pixels(out: Path, row: Row) -> Pixels:
    """A forgery of an earlier run, as it was written."""
    from evidence.image import decode_image

    return decode_image(out / row["path"])[1]


def _entries(installed: Registry, systems: str) -> list[ModelEntry]:
    """The newest version of each generator that was named."""
    if systems == "all":
        newest = {entry.name: entry for entry in installed.of_kind("generator")}
        return list(newest.values())
    entries = [installed.get(name.strip()) for name in systems.split(",")]
    for entry in entries:
        if entry.kind != "generator":
            raise UsageError(f"{entry.label} is a {entry.kind}.", "`touchstone models` lists the generators.")
    return entries
