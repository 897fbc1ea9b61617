"""`touchstone metrics REAL FAKE`: Inception Score, FID, KID and other distances of two sets of pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from touchstone.cli.extras import train_extra

if TYPE_CHECKING:
    from exports.registry import Registry
    from generators.metrics.command import Measurement
    from generators.metrics.pictures import PictureSet


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(metrics)


def metrics(
    real: Annotated[
        str, typer.Argument(metavar="REAL", help="A picture folder, or a known set (its test part).")
    ],
    fake: Annotated[str, typer.Argument(metavar="FAKE", help="A picture folder, or a generator of noise.")],
    extractor: Annotated[
        Literal["inception", "random"],
        typer.Option(help="What features come from; with random no score is called FID."),
    ] = "inception",
    inception: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="The Inception weights; else looked for in the cache."),
    ] = None,
    count: Annotated[int | None, typer.Option(min=2, help="At most so many pictures a side.")] = None,
    size: Annotated[int | None, typer.Option(min=16, help="Square all pictures to this side first.")] = None,
    seed: Annotated[int, typer.Option(help="For samples of a generator.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure how near fakes come to reals.

    Inception Score, FID, KID, precision, recall, density, coverage, sliced Wasserstein distance and the
    distance of spectra. A score that the pictures do not allow is left out, with the reason.

    Examples: `touchstone metrics photos/ samples/` · `touchstone metrics faces-celeba dcgan-faces --count
    1000 --size 64 --extractor random`
    """
    from worker.scanner import installed_models
    from worker.settings import load_settings

    settings = load_settings()
    with train_extra("metrics"):
        from generators.metrics.command import measure
        from generators.metrics.pictures import open_pictures

        reals = open_pictures(real, count=count, size=size)
        fakes = _fakes(fake, installed_models(settings), count, size, seed)
        weights = inception or settings.inception
        found = measure(reals, fakes, extractor=extractor, inception=weights, on_progress=_tell)
    if as_json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        _print(found)


def _fakes(source: str, models: Registry, count: int | None, size: int | None, seed: int) -> PictureSet:
    """The folder or known set `source`, or as many samples of the generator of that name."""
    from exports.sampling import sample
    from generators.data.shards import NAMES
    from generators.metrics.pictures import held_pictures, open_pictures

    if Path(source).is_dir() or source.partition(":")[0] in NAMES:
        return open_pictures(source, count=count, size=size)
    if source not in {name for entry in models for name in (entry.name, entry.label)}:
        return open_pictures(source)
    entry = models.get(source)
    return held_pictures(entry.label, sample(entry, count or 1_000, seed), size=size)


def _print(found: Measurement) -> None:
    table = Table(show_header=False, box=None)
    for name, value in found.scores.items():
        table.add_row(name, f"{value:.4g}")
    console = Console()
    console.print(table)
    reals, fakes = (
        f"{side['name']} ({side['pictures']} pictures, sha256 {side['sha256'][:12]})"
        for side in (found.reals, found.fakes)
    )
    print(f"reals: {reals}\nfakes: {fakes}\nextractor: {found.extractor}, {found.resizer}")
    for name, why in found.left_out.items():
        print(f"no {name}: {why}")


def _tell(name: str, seen: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{name}: {seen} of {total} ", end="\n" if seen == total else "", file=sys.stderr, flush=True)
