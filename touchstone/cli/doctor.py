"""`touchstone doctor`: what works on this machine, found out by doing it."""

from __future__ import annotations

import importlib.util
import json as json_module
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from evidence.errors import TouchstoneError
from touchstone.cli.guard import SOME_FAILED

if TYPE_CHECKING:
    from worker.settings import Settings

_LIBRARIES = ("onnxruntime", "opencv-python", "av", "pillow", "pillow-heif", "numpy")
_COLOURS = {"works": "green", "absent": "yellow", "fails": "bold red"}


@dataclass(frozen=True)
class Check:
    """One thing that was tried: whether it works, and what was found."""

    name: str
    state: Literal["works", "absent", "fails"]
    found: str


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(doctor)


def doctor(
    json: Annotated[bool, typer.Option("--json", help="The checks and settings as one JSON object.")] = False,
) -> None:
    """Check this machine: models, decoding, sandbox, providers, provenance, settings in force.

    Exit code 1 when something that a scan needs fails. Example: `touchstone doctor`
    """
    from worker.settings import load_settings

    settings = load_settings()
    checks = list(_checks(settings))
    in_force = settings.shown()
    if json:
        print(json_module.dumps({"checks": [asdict(c) for c in checks], "settings": in_force}, indent=2))
    else:
        _show(checks, in_force)
    raise typer.Exit(SOME_FAILED if any(check.state == "fails" for check in checks) else 0)


def _checks(settings: Settings) -> Iterator[Check]:
    yield Check("touchstone", "works", f"{version('touchstone')} on Python {platform.python_version()}")
    for name in _LIBRARIES:
        yield _library(name)
    yield _tried("providers", _providers)
    yield _tried("detector", lambda: _detector(settings))
    yield _tried("models", lambda: _models(settings))
    yield _tried("pictures", lambda: _pictures(settings))
    yield _tried("videos", lambda: _videos(settings))
    yield _faces(settings)
    yield _tried("provenance", lambda: _provenance(settings))
    if importlib.util.find_spec("torch") is None:
        yield Check("training", "absent", "no torch; pip install 'touchstone[train]' adds train and export")
    else:
        yield Check("training", "works", f"torch {version('torch')}")


def _tried(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, "works", attempt())
    except TouchstoneError as error:
        return Check(name, "fails", f"{error.code}: {error}")


def _library(name: str) -> Check:
    try:
        return Check(name, "works", version(name))
    except PackageNotFoundError:
        # The CUDA build and the headless OpenCV go by other names; what they do is tried below.
        return Check(name, "absent", "another build may stand in for it")


def _providers() -> str:
    from exports.runtime import available_providers, default_threads

    return f"{', '.join(available_providers())}; {default_threads()} threads"


def _detector(settings: Settings) -> str:
    """Load the detector in force and let it score a grey tile."""
    import numpy as np

    from exports.runtime import open_detector
    from worker.scanner import calibration_of, find_detector

    entry = find_detector(settings)
    session = open_detector(entry, settings.device, settings.threads)
    session.run(np.full((1, 256, 256, 3), 128, np.uint8))
    calibration = calibration_of(entry)
    rate = (
        f"false alarms {calibration.false_alarm_rate:.2%}, n = {calibration.n}"
        if calibration.n
        else "uncalibrated"
    )
    return f"{entry.label} on {session.provider}, {rate} {session.fallback_reason}".strip()


def _models(settings: Settings) -> str:
    from worker.scanner import installed_models

    labels = [installed_models(settings).verify(entry.label).label for entry in installed_models(settings)]
    return f"{len(labels)} with the sums that were published: {', '.join(labels)}"


def _pictures(settings: Settings) -> str:
    """Decode a JPEG in a decode child."""
    import numpy as np

    from evidence.jpeg import encode_jpeg
    from evidence.sniff import IMAGE_MIMES

    data = encode_jpeg(np.full((64, 64, 3), 128, np.uint8), 90)
    level = _decoded(settings, "picture.jpg", lambda path: path.write_bytes(data))
    return f"{_names(IMAGE_MIMES)}; sandbox: {level}"


def _videos(settings: Settings) -> str:
    """Encode and decode a video of four frames in a decode child."""
    import numpy as np

    from evidence.sniff import VIDEO_MIMES
    from evidence.video import write_video

    frames = [np.full((64, 64, 3), 60 * number, np.uint8) for number in range(4)]
    level = _decoded(settings, "video.mp4", lambda path: write_video(path, frames, 10.0))
    return f"{_names(VIDEO_MIMES)}; sandbox: {level}"


def _decoded(settings: Settings, name: str, write: Callable[[Path], object]) -> str:
    """Write a medium, decode it as a scan would, and return the level of the sandbox."""
    from evidence.sandbox import DecoderPool

    with tempfile.TemporaryDirectory(prefix="touchstone-") as folder:
        path = Path(folder) / name
        write(path)
        with DecoderPool(settings.limits, workers=1) as pool:
            for _ in pool.open(str(path), settings.sampling).frames():
                pass
            return pool.level


def _provenance(settings: Settings) -> str:
    from touchstone.cli.papers import provenance_words

    return provenance_words(settings)


def _faces(settings: Settings) -> Check:
    from evidence.faces import FaceFinder

    path = settings.faces
    if path is None:
        return Check("faces", "absent", "no face finder; `touchstone models fetch yunet` gets one")
    return _tried("faces", lambda: f"{type(FaceFinder(path)).__name__} with {path}")


def _names(mimes: tuple[str, ...]) -> str:
    return ", ".join(mime.split("/")[1].removeprefix("x-") for mime in mimes)


def _show(checks: list[Check], in_force: dict[str, object]) -> None:
    console = Console()
    table = Table("", "state", Column("found", overflow="fold"))
    for check in checks:
        table.add_row(check.name, Text(check.state, style=_COLOURS[check.state]), Text(check.found))
    console.print(table)
    settings = Table("setting", Column("in force", overflow="fold"), Column("from", overflow="fold"))
    for name, value in in_force.items():
        settings.add_row(name, Text("" if value is None else str(value)), f"TOUCHSTONE_{name.upper()}")
    console.print(settings)
