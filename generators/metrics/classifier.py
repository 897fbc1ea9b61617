"""A small classifier of labelled pictures, trained here: features and class probabilities for scores.

Two convolutions and two dense layers; on MNIST about 98 % right after one pass over the training digits,
half a minute on one core.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from generators.contract import TrainingData
from generators.metrics.keeping import load_or_train
from generators.training.budget import rng_at

KEPT = Path("runs") / "classifiers"


class Classifier(nn.Module):
    """Pictures (B, C, H, W) in [-1, 1] to 64 features and a logit for each class."""

    name = "classifier"

    def __init__(self, shape: tuple[int, int, int] = (1, 28, 28), classes: int = 10) -> None:
        super().__init__()
        channels, height, width = shape
        self.trunk = nn.Sequential(
            nn.Conv2d(channels, 16, 5, stride=2, padding=2),  # (B, 1, 28, 28) -> (B, 16, 14, 14)
            nn.ReLU(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2),  # -> (B, 32, 7, 7)
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * -(-height // 4) * -(-width // 4), 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 64), what `fid` and `kid` compare."""
        features: Tensor = self.trunk(images)
        return features

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> NDArray[np.float64]:
        """(B, C, H, W) -> (B, classes), what the Inception score reads."""
        found: NDArray[np.float64] = self(images).softmax(dim=1).double().numpy()
        return found


@torch.enable_grad()  # figures are taken without
def train_classifier(data: TrainingData, *, steps: int = 2_000, batch: int = 96, seed: int = 0) -> Classifier:
    """A classifier trained on labelled pictures, the same for the same `seed` on one kind of machine."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classifier = _shaped(data)
    optimiser = torch.optim.Adam(classifier.parameters(), lr=2e-3)
    for step in range(steps):
        drawn = data.draw(batch, rng_at(seed, step, "digits"))
        assert drawn.labels is not None
        optimiser.zero_grad()
        torch.autograd.backward(F.cross_entropy(classifier(drawn.images), drawn.labels))
        optimiser.step()
    return classifier.requires_grad_(False).eval()


def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """The share of `images` (N, C, H, W) classified as labelled."""
    return float((classifier.probabilities(images).argmax(axis=1) == labels.numpy()).mean())


def classifier_of(data: TrainingData, folder: Path = KEPT) -> Classifier:
    """The classifier of this set kept in `folder`; trained on `data` and kept there the first time."""
    key = (sorted(data.sha256.items()), _shape(data), len(data))
    return load_or_train(folder, key, shaped=partial(_shaped, data), trained=lambda: train_classifier(data))


def _shaped(data: TrainingData) -> Classifier:
    return Classifier(_shape(data), len(data.names["classes"]))


def _shape(data: TrainingData) -> tuple[int, int, int]:
    channels, height, width = data.draw(1, rng_at(0, 0, "shape")).images.shape[1:]
    return channels, height, width
