"""What the systems share that draw from captions: the encoders' phase, the words of their data, R-precision.

A run begins with `matching_images` pictures on which only the two encoders of the discriminator's matcher
learn, by the matching loss on real pairs. Then they are frozen, as AttnGAN's are: words must not move while
the generator learns what they mean. One optimiser a player is the loop's law, so the encoders learn at the
discriminator's rate, where AttnGAN's released code gives them 2e-3 that decays.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evidence.errors import DataError
from generators.contract import AdversarialModel, Batch, Input, Law, Losses, Optimisation, Task, TrainingData
from generators.losses.matching import matching_loss, sentence_scores
from generators.metrics.r_precision import r_precision_of
from generators.text.encoder import Caption
from generators.text.matcher import Matcher
from generators.text.meaning import Meaning, classes_of
from generators.text.vocabulary import END

MATCHING, DRAWING = 0, 1


class CaptionModel(AdversarialModel):
    """A generator of a caption and latents, whose discriminator has a `matcher`.

    Called with images alone the discriminator gives what the matcher sees: (regions, whole). The config
    has `image_size`, `words`, `classes`, `length`, `latent`, `matching_images` and `matching_batch`.
    """

    task: ClassVar[Task] = "caption"

    def __init__(
        self, config: Any, optimisation: Optimisation, generator: nn.Module, discriminator: nn.Module
    ) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (3, config.image_size, config.image_size)
        self.generator, self.discriminator = generator, discriminator
        self.meaning = Meaning(config.words, config.classes)

    @abstractmethod
    def latents(self, count: int, rng: torch.Generator) -> dict[str, Tensor]:
        """What is drawn for `count` images, by the name it has as an input of the exported graph."""

    @property
    def matcher(self) -> Matcher:
        found = self.discriminator.matcher
        assert isinstance(found, Matcher)
        return found

    def fitted(self, data: TrainingData) -> Any:
        words = data.names.get("words", ())
        if len(words) < 3:
            raise DataError("The training set has no captions.", "Add captions.jsonl to the folder.")
        return replace(self.config, words=words, classes=classes_of(data))

    def phase(self) -> int:
        return MATCHING if self.images_seen < self.config.matching_images else DRAWING

    def batch_size(self) -> int:
        return self.config.matching_batch if self.phase() == MATCHING else super().batch_size()

    def train(self, mode: bool = True) -> CaptionModel:
        super().train(mode)
        if self.phase() == DRAWING:
            self.matcher.eval()  # no dropout in what the generator is told
        return self

    def tokens(self, batch: Batch | None) -> Tensor:
        """The batch's captions (B, length) int64, cut or filled up; DataError where it has none."""
        if batch is None or "tokens" not in batch.extra:
            raise DataError("There is no caption to draw from.", "Give pictures with captions.")
        tokens = batch.extra["tokens"]
        return F.pad(tokens, (0, self.config.length - tokens.shape[1]))

    def read(self, batch: Batch | None) -> Caption:
        """What the captions of a batch say, by the frozen encoder."""
        with torch.no_grad():
            caption: Caption = self.matcher.text(self.tokens(batch))
        return caption

    def matches(self, seen: tuple[Tensor, Tensor], caption: Caption, same: Tensor) -> dict[str, Tensor]:
        """The matching losses of what the matcher sees in images, and of their captions, by name."""
        return {"sentence_match": matching_loss(sentence_scores(seen[1], caption.sentence), same)}

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        if self.phase() == DRAWING:
            return self.drawing_discriminator_loss(batch, rng)
        tokens = self.tokens(batch)
        seen, caption = self.discriminator(batch.images), self.matcher.text(tokens)
        parts = self.matches(seen, caption, self.meaning.same(tokens))
        if self.config.naming_weight:
            naming = self.matcher.naming_loss(seen[1], caption.sentence, self.meaning(tokens))
            parts["naming"] = self.config.naming_weight * naming
        return Losses(torch.stack(list(parts.values())).sum(), parts)

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        if self.phase() == DRAWING:
            return self.drawing_generator_loss(batch, rng)
        # The generator waits: a gradient of zero leaves its weights where they are.
        return Losses(0.0 * torch.stack([weight.sum() for weight in self.generator.parameters()]).sum())

    @abstractmethod
    def drawing_discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        """The discriminator's loss once the encoders have learnt."""

    @abstractmethod
    def drawing_generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        """The generator's loss once the encoders have learnt."""

    @abstractmethod
    def judged(self, images: Tensor, caption: Caption) -> Tensor:
        """The discriminator's logit (B,) of images with these captions, for its gradient penalty."""

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        if self.phase() == MATCHING:
            return lambda images: 0.0 * images.flatten(1).sum(1)  # no critic learns, none is held back
        caption = self.read(batch)
        return lambda images: self.judged(images, caption)

    def wrong(self, tokens: Tensor) -> Tensor:
        """1 where the next caption of the batch means something else (B,), 0 where it fits as well."""
        named: Tensor = self.meaning(tokens)
        return (named != named.roll(-1, 0)).any(1).float()

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        images: Tensor = self.generator(self.read(batch), *self.latents(count, rng).values())
        return images

    def exported(self, part: str = "") -> nn.Module:
        return Drawing(self.matcher.text, self.generator)

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(0)
        tokens = torch.randint(1, len(self.config.words), (count, self.config.length), generator=rng)
        lengths = torch.randint(1, self.config.length + 1, (count, 1), generator=rng)
        tokens[torch.arange(self.config.length) >= lengths] = END
        return {"tokens": tokens, **self.latents(count, rng)}

    def inputs(self) -> dict[str, Input]:
        law: Law = getattr(self.config, "latent_law", "normal")
        latents = {name: Input("latent", law=law) for name in self.latents(1, torch.Generator())}
        return {"tokens": Input("tokens", names=self.config.words), **latents}

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        return r_precision_of(lambda batch: self.sample(batch, batch.size, rng), held_out)


class Drawing(nn.Module):
    """The exported graph: tokens (B, T) int64, z and, where a system has it, noise -> images."""

    def __init__(self, text: nn.Module, generator: nn.Module) -> None:
        super().__init__()
        self.text, self.generator = text, generator

    def forward(self, tokens: Tensor, z: Tensor, noise: Tensor | None = None) -> Tensor:
        latents = (z,) if noise is None else (z, noise)
        images: Tensor = self.generator(self.text(tokens), *latents)
        return images


def mean_where(losses: Tensor, weight: Tensor) -> Tensor:
    """The mean of `losses` (B,) where `weight` (B,) is 1; 0 where it never is."""
    return (losses * weight).sum() / weight.sum().clamp(min=1)
