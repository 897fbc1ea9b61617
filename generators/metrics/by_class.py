"""The figures of samples where pictures have classes: accuracy, Inception score and copies.

Reals that nobody trained on are measured beside the samples: what the classifier gets wrong on them is not
the generator's fault.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from generators.contract import TrainingData
from generators.data.memory import ImageSet
from generators.metrics.classifier import accuracy, classifier_of
from generators.metrics.copies import copies
from generators.metrics.features import quantised
from generators.metrics.inception_score import inception_score
from generators.training.budget import rng_at


def figures_by_class(fakes: Tensor, held_out: TrainingData, labels: Tensor | None = None) -> dict[str, float]:
    """Figures of `fakes` (N, C, H, W) in [-1, 1] against `held_out`, whose training part it looks up.

    `labels` (N,) are the classes that were asked for. A set without classes gives no figures of the
    classifier's, one whose held-out part was trained on no copies: all its reals would be copies.
    """
    if not isinstance(held_out, ImageSet) or held_out.crop is not None:
        return {}
    training = held_out.training_part()
    reals = held_out.draw(len(fakes), rng_at(0, 0, "reals by class"))
    fakes = quantised(fakes)
    found = {}
    if training is not held_out:
        known = np.stack(training.pictures())
        images = torch.from_numpy(known).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        found["copies"] = copies(fakes, reals.images, images)
    if reals.labels is None:
        return found
    classifier = classifier_of(training)
    found |= {
        "inception_score": inception_score(classifier.probabilities(fakes))[0],
        "inception_score_of_reals": inception_score(classifier.probabilities(reals.images))[0],
        "class_accuracy_of_reals": accuracy(classifier, reals.images, reals.labels),
    }
    return found if labels is None else found | {"class_accuracy": accuracy(classifier, fakes, labels)}
