"""Downloads of the few files that our licence keeps out of the package, each with its sum written down."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import ModelError, ModelTampered, OutputError, UsageError

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Remote:
    """A file elsewhere, and what it must be."""

    url: str
    file: str
    sha256: str
    size_bytes: int
    licence: str


FILES = {
    "yunet": Remote(
        url="https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/"
        "face_detection_yunet_2026may.onnx",
        file="face_detection_yunet_2026may.onnx",
        sha256="ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
        size_bytes=229_738,
        licence="MIT",
    )
}


def fetch_file(name: str, folder: Path) -> Path:
    """The file in `folder`, downloaded unless it lies there already; written only when its sum is right.

    Raises UsageError for an unknown name, ModelError offline, ModelTampered, OutputError.
    """
    if name not in FILES:
        raise UsageError(f"There is nothing called {name!r} to fetch.", f"There is: {', '.join(FILES)}.")
    remote = FILES[name]
    path = folder / remote.file
    try:
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == remote.sha256:
            return path
        data = _download(remote)
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.part")
        try:
            beside.write_bytes(data)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.", "Set TOUCHSTONE_DATA_DIR to another folder."
        ) from None
    return path


def _download(remote: Remote) -> bytes:
    """The bytes, once they are the ones expected; never more than that many are read."""
    by_hand = f"Where there is a network, get {remote.url} and set TOUCHSTONE_FACE_MODEL to the file."
    try:
        with urllib.request.urlopen(remote.url, timeout=TIMEOUT_SECONDS) as answer:
            data: bytes = answer.read(remote.size_bytes + 1)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ModelError(f"{remote.file} cannot be downloaded: {reason}.", by_hand) from None
    found = hashlib.sha256(data).hexdigest()
    if found != remote.sha256:
        raise ModelTampered(f"{remote.url} has sha256 {found}; expected {remote.sha256}.", by_hand)
    return data
