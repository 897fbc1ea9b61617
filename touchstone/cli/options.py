"""Options that several commands have, in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Model = Annotated[
    str | None, typer.Option(metavar="NAME|FILE.onnx", help="Another detector than the default one.")
]
Every = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0.001, help="One frame of a video each so often.")
]
Keyframes = Annotated[bool, typer.Option("--keyframes", help="Only the key frames of a video: fast.")]
MaxFrames = Annotated[int | None, typer.Option(metavar="N", min=1, help="At most so many frames a video.")]
FailOn = Annotated[Literal["fake"] | None, typer.Option(help="Exit with 10 when a medium has this verdict.")]
Jsonl = Annotated[Path | None, typer.Option(metavar="FILE", help="A report a line; - is standard output.")]
RowsCsv = Annotated[Path | None, typer.Option(metavar="FILE", help="A row a medium; - is standard output.")]
Parquet = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The table with types; needs touchstone[archives].")
]
Progress = Annotated[
    Literal["auto", "json", "none"], typer.Option(help="A bar, JSON lines on standard error, or nothing.")
]
