"""What the systems share that make images of a class: the classes of their data, and figures by class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from evidence.errors import DataError
from generators.contract import Batch, Input, Task, TrainingData
from generators.data.memory import ImageSet
from generators.metrics.by_class import figures_by_class
from generators.noise import NoiseModel

SAMPLES = 2_000  # for the figures: 200 of each of ten classes
BATCH = 100


class ClassModel(NoiseModel):
    """A generator of (z, label); the config's `classes` are the names that labels stand for."""

    task: ClassVar[Task] = "class"

    @abstractmethod
    def logits(self, images: Tensor, labels: Tensor) -> Tensor:
        """The discriminator's real-or-fake logit (B,) of images said to be of `labels`."""

    def fitted(self, data: TrainingData) -> Any:
        return replace(self.config, classes=classes_of(data))

    def generate(self, count: int, rng: torch.Generator, labels: Tensor | None = None) -> Tensor:
        """`count` images of `labels` (count,), drawn evenly from all classes where none are given."""
        if labels is None:
            labels = self.random_labels(count, rng)
        images: Tensor = self.generator(self.latents(count, rng), labels)
        return images

    def random_labels(self, count: int, rng: torch.Generator) -> Tensor:
        """(count,) int64, every class as likely as another."""
        return torch.randint(len(self.config.classes), (count,), generator=rng, device=rng.device)

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        return lambda images: self.logits(images, labels_of(batch))

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        return self.generate(count, rng, None if batch is None else labels_of(batch))

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        label = torch.arange(count) % len(self.config.classes)
        return super().export_inputs(count) | {"label": label}

    def inputs(self) -> dict[str, Input]:
        return {"z": Input("latent"), "label": Input("label", names=self.config.classes)}

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        labels = torch.arange(SAMPLES, device=rng.device) % len(self.config.classes)
        fakes = [
            self.generate(BATCH, rng, labels[start : start + BATCH]).float().cpu()
            for start in range(0, SAMPLES, BATCH)
        ]
        return figures_by_class(torch.cat(fakes), held_out, labels.cpu())


def labels_of(batch: Batch) -> Tensor:
    """The labels (B,) of a batch that has to have them."""
    if batch.labels is None:
        raise DataError("The training set has no classes.", _WANTED)
    return batch.labels


def classes_of(data: TrainingData) -> tuple[str, ...]:
    """The names of the classes of `data`; raises DataError where it has none, or one without pictures."""
    names = data.names.get("classes", ())
    if len(names) < 2:
        raise DataError(f"The training set has {len(names) or 'no'} classes; two are the least.", _WANTED)
    if isinstance(data, ImageSet) and data.labels is not None:
        members = torch.bincount(data.labels, minlength=len(names)).tolist()
        empty = [name for name, count in zip(names, members, strict=True) if count == 0]
        if empty:
            raise DataError(
                f"The class {empty[0]!r} has no pictures.", "Put pictures into its folder, or remove it."
            )
    return names


_WANTED = "Take mnist, fashion or cifar10, or a folder with one sub-folder of pictures for each class."
