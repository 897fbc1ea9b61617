"""From logits to probabilities, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def sigmoid(values: ArrayLike) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(values, np.float64)))


def softmax(logits: ArrayLike) -> Array:
    """Probabilities along the last axis, without overflow."""
    found = np.asarray(logits, np.float64)
    powers = np.exp(found - found.max(axis=-1, keepdims=True))
    odds: Array = powers / powers.sum(axis=-1, keepdims=True)
    return odds
