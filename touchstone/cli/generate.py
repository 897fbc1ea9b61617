"""`touchstone generate SYSTEM`: pictures from a shipped generator, or real pictures through it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(generate)


def generate(
    system: Annotated[
        str, typer.Argument(metavar="SYSTEM", help="A generator of `touchstone models`, or its system.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where pictures and manifest.jsonl go.")],
    count: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How many samples: 16, of a film 6.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="The same seed gives the same pictures: 0.")
    ] = None,
    truncation: Annotated[
        float | None, typer.Option(metavar="T", min=0.01, help="Less variety, fewer failures: try 0.7.")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME|INDEX", help="Which class; repeatable; else all in turn."),
    ] = None,
    caption: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="What to draw, in words; repeatable.")
    ] = None,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="FILE|DIR|GLOB", help="Real pictures to change; repeatable."),
    ] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="White where to paint anew; one for all inputs, or one each."),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(metavar="X,Y,W,H", help="The part to paint anew, or the square with the face."),
    ] = None,
    side: Annotated[
        list[str] | None,
        typer.Option(metavar="left|right|top|bottom", help="Where to go on; repeatable."),
    ] = None,
    extend: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="By so many pixels a side: 32.")
    ] = None,
    units: Annotated[
        str | None, typer.Option(metavar="AU12=0.8,AU26=0.3", help="Action units of the face, 0 to 1.")
    ] = None,
    expression: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A named expression; of a film repeatable.")
    ] = None,
    yaw: Annotated[
        float | None, typer.Option(metavar="DEGREES", help="Where the head turns, 0 is to the front.")
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Also one sheet of the first 64.")] = False,
    film: Annotated[
        Literal["interpolation", "expression", "rotation"] | None,
        typer.Option(help="A film instead: from seed to seed, into an expression, from side to side."),
    ] = None,
    gif: Annotated[bool, typer.Option("--gif", help="The film as a GIF, else as an mp4.")] = False,
    unmarked: Annotated[
        bool, typer.Option("--unmarked", help="For test sets: without the marks of a generated file.")
    ] = False,
) -> None:
    """Make synthetic pictures, each with its origin in a manifest.

    Needs no torch. What a system takes follows from what it does, and it says so when asked for
    something else: samples take --count and --seed, those of classes --class, those of captions
    --caption; all others take --input, and by their task --mask or --box, --side and --extend,
    --units or --expression, --yaw. A changed picture has the size of its source and its JPEG
    history where there is one; beside it lies a mask of what was made. Every file says that it was
    generated, in XMP, in Content Credentials and, from 96 pixels a side on, by a watermark; the
    manifest tells which marks it has. Exit code 1 when some pictures could not be read; those are
    named and left out.

    Examples: `touchstone generate dcgan-faces --count 64 --out faces/` · `touchstone generate
    reconstruction-nearest-x8 --input photo.jpg --out twins/` · `touchstone generate
    inpainting-photos --input photo.png --box 40,60,96,64 --out holes/`
    """
    from exports.wishes import Asked
    from touchstone.cli.generating import run

    asked = Asked(
        count=count,
        seed=seed,
        truncation=truncation,
        classes=tuple(classes or ()),
        caption=tuple(caption or ()),
        input=tuple(input or ()),
        mask=tuple(map(str, mask or ())),
        box=box,
        side=tuple(side or ()),
        extend=extend,
        units=units,
        expression=tuple(expression or ()),
        yaw=yaw,
        film=film,
        gif=gif,
        grid=grid,
    )
    raise typer.Exit(run(system, asked, out, unmarked=unmarked))
