"""The Fourier transform of a plane at any frequency: one padded transform, and what lies between its points.

The tiles of a mark have the same waves at every scale, only of other lengths. So a picture is transformed
once, and not for each scale; a sample costs what cubic interpolation costs.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

PADDED = 1.5  # times its sides

Plane = NDArray[np.float32]
Samples = NDArray[np.complex64]


class Transform:
    """The transform of a real plane, with the middle of the plane as its origin.

    The plane is padded: interpolation weakens what is far from the middle, so little then that it costs none.
    """

    def __init__(self, plane: Plane) -> None:
        self._height, self._width = plane.shape
        self._rows, self._columns = (
            2 * cv2.getOptimalDFTSize(max(2, math.ceil(PADDED * side / 2))) for side in plane.shape
        )
        y, x = self._height // 2, self._width // 2
        padded = np.zeros((self._rows, self._columns), np.float32)
        padded[: self._height - y, : self._width - x] = plane[y:, x:]
        padded[self._rows - y :, : self._width - x] = plane[:y, x:]
        padded[: self._height - y, self._columns - x :] = plane[y:, :x]
        padded[self._rows - y :, self._columns - x :] = plane[:y, :x]
        self._points = self._half_plane(padded)

    def at(self, down: Plane, across: Plane) -> Samples:
        """Values at frequencies (n, m) in cycles along the plane, those across above 0."""
        y = down * np.float32(self._rows / self._height) + np.float32(self._rows // 2)
        x = across * np.float32(self._columns / self._width) + np.float32(1)
        found = cv2.remap(self._points, x, y, cv2.INTER_CUBIC)
        return np.asarray(found.view(np.complex64)[..., 0])

    def _half_plane(self, padded: Plane) -> Plane:
        """Columns -1 to half of all, rows with frequency 0 in their middle, real and imaginary parts."""
        packed = cv2.dft(padded)  # columns 1 on lie there as pairs, the first one needs its own
        half, columns = self._rows // 2, self._columns // 2
        points = np.empty((self._rows, 2 * columns + 2), np.float32)
        points[half:, 4:], points[:half, 4:] = packed[:half, 1:-1], packed[half:, 1:-1]
        first = np.fft.fftshift(np.fft.fft(padded.sum(axis=1)))
        points[:, 2:4] = first.astype(np.complex64).view(np.float32).reshape(-1, 2)
        points[1:, :2] = points[:0:-1, 4:6] * (1, -1)  # the plane is real
        points[0, :2] = points[0, 4:6] * (1, -1)
        return points.reshape(self._rows, columns + 1, 2)
