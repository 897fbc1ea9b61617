"""The yaw of faces as the face regressor reads it, for the systems that turn faces."""

from __future__ import annotations

from functools import cache

from torch import Tensor

from generators.metrics.face_regressor import FaceRegressor, read, regressor_of


def yaw_of(faces: Tensor) -> Tensor:
    """Degrees (B,) for faces (B, 3, S, S) in [-1, 1], positive with the nose to the picture's right."""
    return read(_judge(), faces.cpu()).yaw.to(faces.device)


@cache
def _judge() -> FaceRegressor:
    return regressor_of()
