"""Where the faces are: any YuNet-like ONNX detector as a plug-in, by OpenCV's FaceDetectorYN.

YuNet: Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence
Research 20. No model is shipped: without one there are no faces, and nothing else changes.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evidence.errors import ModelError, ModelNotFound
from evidence.medium import Pixels

MODEL_SETTING = "TOUCHSTONE_FACE_MODEL"
# A larger picture is searched in a copy of this longest side: 12 megapixels take 0.05 s, not 0.7.
MAX_SIDE = 640
MIN_SCORE = 0.7
MAX_OVERLAP = 0.3
MAX_CANDIDATES = 500


@dataclass(frozen=True)
class Face:
    """One face: `box` is [x0, y0, x1, y1] in pixels of the picture and inside it, `score` 0..1.

    `landmarks` are (x, y) of the eye at the picture's left, the eye at its right, the tip of the
    nose, and the corners of the mouth, left and right.
    """

    box: tuple[int, int, int, int]
    score: float
    landmarks: tuple[tuple[float, float], ...]


def find_face_model(folder: str | os.PathLike[str] | None = None) -> Path | None:
    """The face model to use: the setting TOUCHSTONE_FACE_MODEL, else the one in the data folder.

    `folder` is where fetched models lie: by default TOUCHSTONE_DATA_DIR, else the place where this
    system keeps a program's data. `None` when there is no model. Raises `ModelNotFound` when the
    setting names a file that does not exist.
    """
    if named := os.environ.get(MODEL_SETTING):
        if Path(named).is_file():
            return Path(named)
        raise ModelNotFound(
            f"The face model {named}, named by {MODEL_SETTING}, does not exist.", "Mend or drop the setting."
        )
    home = Path(folder or os.environ.get("TOUCHSTONE_DATA_DIR") or _data_home() / "touchstone")
    return next(iter(sorted(home.glob("face_detection_yunet*.onnx"))), None)


class FaceFinder:
    """A loaded face detector. Safe to use from several threads, one picture at a time."""

    def __init__(self, model_path: str | os.PathLike[str]) -> None:
        """Load the model. Raises `ModelNotFound` or `ModelError`."""
        path = os.fspath(model_path)
        if not os.path.isfile(path):
            raise ModelNotFound(f"There is no face model at {path}.", "Run `touchstone models fetch yunet`.")
        level = cv2.utils.logging.getLogLevel()
        # OpenCV warns at every load that its new engine takes no target.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            self._detector = cv2.FaceDetectorYN.create(
                path, "", (MAX_SIDE, MAX_SIDE), MIN_SCORE, MAX_OVERLAP, MAX_CANDIDATES
            )
            self._lock = threading.Lock()
            self.find(np.zeros((64, 64, 3), np.uint8))
        except cv2.error as problem:
            raise ModelError(
                f"{path} is no face detector that OpenCV can run.", "Use a YuNet model in ONNX."
            ) from problem
        finally:
            cv2.utils.logging.setLogLevel(level)

    def find(self, pixels: Pixels) -> list[Face]:
        """The faces in RGB uint8 (H, W, 3), the surest first; an empty list when there are none."""
        height, width = pixels.shape[:2]
        scale = min(1.0, MAX_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = pixels if scale == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        with self._lock:
            self._detector.setInputSize(size)
            _, rows = self._detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        # A row: x, y, width, height, five points (x, y), score, in pixels of the searched copy.
        stretch = np.array([width / size[0], height / size[1]] * 7)
        faces = [_face(row[:14] * stretch, float(row[14]), height, width) for row in rows]
        return sorted((face for face in faces if face is not None), key=lambda face: -face.score)


def _face(
    places: np.ndarray[tuple[int, ...], np.dtype[np.float64]], score: float, height: int, width: int
) -> Face | None:
    """A face in pixels of the picture, its box cut to it; `None` when nothing of the box is inside."""
    x, y, across, down = places[:4]
    left, right = (int(np.clip(round(at), 0, width)) for at in (x, x + across))
    top, bottom = (int(np.clip(round(at), 0, height)) for at in (y, y + down))
    if left >= right or top >= bottom:
        return None
    points = tuple((float(a), float(b)) for a, b in places[4:].reshape(5, 2))
    return Face((left, top, right, bottom), score, points)


def _data_home() -> Path:
    """Where this system keeps the data of programs."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home()))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
