"""A small classifier of digits, trained here: features and class probabilities for scores on MNIST.

Two convolutions and two dense layers; about 98 % right after one pass over the training digits, half a
minute on one core.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from generators.contract import TrainingData
from generators.training.budget import rng_at


class DigitClassifier(nn.Module):
    """Digits (B, 1, 28, 28) in [-1, 1] to 64 features and 10 logits."""

    name = "digits"

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2),  # (B, 1, 28, 28) -> (B, 16, 14, 14)
            nn.ReLU(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2),  # -> (B, 32, 7, 7)
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 49, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """(B, 1, 28, 28) -> (B, 64), what `fid` and `kid` compare."""
        features: Tensor = self.trunk(images)
        return features

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> NDArray[np.float64]:
        """(B, 1, 28, 28) -> (B, 10), what the Inception score reads."""
        found: NDArray[np.float64] = self(images).softmax(dim=1).double().numpy()
        return found


def train_digits(data: TrainingData, *, steps: int = 600, batch: int = 96, seed: int = 0) -> DigitClassifier:
    """A classifier trained on labelled digits, the same for the same `seed` on one kind of machine."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classifier = DigitClassifier()
    optimiser = torch.optim.Adam(classifier.parameters(), lr=2e-3)
    for step in range(steps):
        drawn = data.draw(batch, rng_at(seed, step, "digits"))
        assert drawn.labels is not None
        optimiser.zero_grad()
        torch.autograd.backward(F.cross_entropy(classifier(drawn.images), drawn.labels))
        optimiser.step()
    return classifier.requires_grad_(False).eval()


def accuracy(classifier: DigitClassifier, images: Tensor, labels: Tensor) -> float:
    """The share of `images` (N, 1, 28, 28) classified as labelled."""
    return float((classifier.probabilities(images).argmax(axis=1) == labels.numpy()).mean())


def load_or_train(path: Path, data: TrainingData) -> DigitClassifier:
    """The classifier kept at `path`; trained on `data` and kept there the first time."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(train_digits(data).state_dict(), path)
    classifier = DigitClassifier()
    classifier.load_state_dict(torch.load(path, weights_only=True))
    return classifier.requires_grad_(False).eval()
