"""AttnGAN, "the Drawing Bot": three stages of growing size that look at the words (Xu et al. 2017).

1711.10485; `published` is the released code's setting for birds (taoxugit/AttnGAN, cfg/bird_attn2.yml): gamma
1 is 4 where the paper has 5. Two things differ: the mask of words stands on the right axis (`attention.py`),
and captions of one meaning, left out of the matching loss there, are no wrong ones for the critics either.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.contract import Batch, Floor, Losses, Optimisation, Preset
from generators.losses.matching import matching_loss, word_scores
from generators.networks.attention import WordAttention
from generators.networks.stages import Augmentation, Critic, Residual, conv, doubling, initialise
from generators.text.encoder import Caption
from generators.text.matcher import Matcher
from generators.text.model import CaptionModel, mean_where


@dataclass(frozen=True)
class Config:
    """`words` and `classes` are those of the data; these stand in until it is opened.

    The three stages end at a quarter, a half and the whole of `image_size`. `deep` channels stand at 4x4,
    `generator_width` at the end of each stage.
    """

    image_size: int = 256
    deep: int = 512
    generator_width: int = 32
    residuals: int = 2
    discriminator_width: int = 64
    discriminator_norm: bool = True
    latent: int = 100
    condition: int = 100
    text: int = 256
    embedding: int = 300
    matcher_width: int = 64
    dropout: float = 0.5
    matching_weight: float = 5.0  # lambda
    length: int = 18  # words of a caption that are read
    matching_images: int = 600 * 8_855
    matching_batch: int = 48
    naming_weight: float = 0.0
    words: tuple[str, ...] = ("", "?", "bird")
    classes: tuple[str, ...] = ("bird",)


PRESETS = {
    "published": Preset(
        config=Config(),
        # 600 epochs of 8 855 birds for the encoders, then for the players; G's average keeps 0.999 a step.
        optimisation=Optimisation(batch=20, ema_half_life_images=13_856.0, total_images=1_200 * 8_855),
        data="captions",
        budget_minutes=6_000.0,
    ),
    "shipped": Preset(
        # 64 px for a shared core. R1 and DiffAugment instead of D's batch norm, as `dcgan.py` found; lambda
        # 3: with 1, after 8 000 images of drawing, 4 of 10 pictures found their caption among ten.
        config=Config(
            image_size=64,
            deep=128,
            generator_width=16,
            residuals=1,
            discriminator_width=24,
            discriminator_norm=False,
            latent=64,
            condition=32,
            text=32,
            embedding=32,
            matcher_width=16,
            dropout=0.0,
            length=22,
            matching_weight=3.0,
            matching_images=120_000,
            matching_batch=32,
            naming_weight=4.0,
        ),
        optimisation=Optimisation(
            batch=32,
            generator_lr=5e-4,
            discriminator_lr=5e-4,
            betas=(0.0, 0.9),
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=8,
            augment="color,translation",
            precision="bf16",
            total_images=170_000,
        ),
        data="faces-celeba",
        budget_minutes=25.0,
        floors=(Floor("r_precision", least=0.5), Floor("fid_ratio", most=0.3)),
    ),
    "smoke": Preset(
        config=Config(
            image_size=32,
            deep=8,
            generator_width=4,
            residuals=1,
            discriminator_width=4,
            latent=8,
            condition=4,
            text=8,
            embedding=8,
            matcher_width=4,
            length=12,
            matching_images=0,
            matching_batch=4,
        ),
        optimisation=Optimisation(batch=4, ema_half_life_images=32.0, total_images=32),
        data="faces-celeba",
        budget_minutes=0.1,
    ),
}


@dataclass(frozen=True)
class Drawn:
    """Images of the three stages, the smallest first, and the condition's mean and log variance."""

    images: tuple[Tensor, ...]
    mean: Tensor
    log_variance: Tensor


class Generator(nn.Module):
    """A caption, z (B, latent) and noise (B, condition) -> image (B, 3, S, S) in [-1, 1]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.generator_width
        doublings = (config.image_size // 16).bit_length() - 1  # 4x4 to the first stage's size
        widths = [*(config.deep >> n for n in range(doublings)), width]
        self.augment = Augmentation(config.text, config.condition)
        self.dense = nn.Sequential(
            nn.Linear(config.latent + config.condition, 2 * 16 * config.deep, bias=False),
            nn.BatchNorm1d(2 * 16 * config.deep),
            nn.GLU(1),
        )
        self.first = nn.Sequential(*(doubling(inputs, outputs) for inputs, outputs in pairwise(widths)))
        self.attend = nn.ModuleList(WordAttention(width, config.text) for _ in range(2))
        self.refine = nn.ModuleList(
            nn.Sequential(*(Residual(2 * width) for _ in range(config.residuals)), doubling(2 * width, width))
            for _ in range(2)
        )
        self.paint = nn.ModuleList(nn.Sequential(conv(width, 3), nn.Tanh()) for _ in range(3))
        self.apply(initialise)

    def forward(self, caption: Caption, z: Tensor, noise: Tensor) -> Tensor:
        return self.stages(caption, z, noise).images[-1]

    def stages(self, caption: Caption, z: Tensor, noise: Tensor) -> Drawn:
        """What each stage paints."""
        mean, log_variance = self.augment(caption.sentence)
        condition = mean + noise * (0.5 * log_variance).exp()
        flat = self.dense(torch.cat((condition, z), 1))
        h = self.first(flat.reshape(flat.shape[0], -1, 4, 4))
        images = [self.paint[0](h)]
        for attend, refine, paint in zip(self.attend, self.refine, self.paint[1:], strict=True):
            h = refine(torch.cat((h, attend(h, caption.words, caption.mask)), 1))
            images.append(paint(h))
        return Drawn(tuple(images), mean, log_variance)


class Discriminator(nn.Module):
    """A critic for each stage, chosen by the size of the images; for images alone what the matcher sees."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.matcher = Matcher.of(config)
        width, text, normed = config.discriminator_width, config.text, config.discriminator_norm
        self.critics = nn.ModuleDict(
            {str(side): Critic(side, width=width, text=text, normed=normed) for side in _sides(config)}
        )

    def forward(self, images: Tensor, *sentences: Tensor) -> tuple[Tensor, ...]:
        looks = self.critics[str(images.shape[2])] if sentences else self.matcher.pictures
        seen: tuple[Tensor, ...] = looks(images, *sentences)
        return seen


class AttnGan(CaptionModel):
    """Eq. 3-5 and 13: critics with and without the caption, KL, and lambda times the matching loss."""

    name = "attngan"
    paper = "Xu et al. 2017, AttnGAN: Fine-Grained Text to Image Generation, arXiv 1711.10485"
    tags: ClassVar[dict[str, str]] = {"upsampler": "nearest", "normalisation": "batch", "loss": "bce"}

    config: Config
    generator: Generator

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__(config, optimisation, Generator(config), Discriminator(config))

    def latents(self, count: int, rng: torch.Generator) -> dict[str, Tensor]:
        z, noise = self.config.latent, self.config.condition
        drawn = torch.randn(count, z + noise, generator=rng, device=rng.device)
        return {"z": drawn[:, :z], "noise": drawn[:, z:]}

    def judged(self, images: Tensor, caption: Caption) -> Tensor:
        logits = [torch.stack(self.discriminator(view, caption.sentence)) for view in self.views(images)]
        return torch.stack([each.mean(0) for each in logits]).sum(0)

    def views(self, images: Tensor) -> list[Tensor]:
        """The images at the size of each stage."""
        side = self.config.image_size
        return [F.avg_pool2d(images, side // stage) for stage in _sides(self.config)]

    def matches(self, seen: tuple[Tensor, Tensor], caption: Caption, same: Tensor) -> dict[str, Tensor]:
        scores = word_scores(seen[0], caption.words, caption.mask)
        return super().matches(seen, caption, same) | {"word_match": matching_loss(scores, same)}

    def drawing_discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        caption, wrongs = self.read(batch), self.wrong(self.tokens(batch))
        with torch.no_grad():
            drawn = self.generator.stages(caption, *self.latents(batch.size, rng).values())
        parts: dict[str, Tensor] = {}
        for real, fake in zip(self.views(batch.images), drawn.images, strict=True):
            told = caption.sentence
            alone, right, wrong = self.discriminator(real, told, told.roll(-1, 0))
            fake_alone, fake_told = self.discriminator(fake, told)
            reals = (F.softplus(-alone).mean() + F.softplus(-right).mean()) / 2
            fakes = F.softplus(fake_alone).mean() + F.softplus(fake_told).mean()
            parts[f"at_{real.shape[2]}"] = reals + (fakes + mean_where(F.softplus(wrong), wrongs)) / 3
        return Losses(torch.stack(list(parts.values())).sum(), parts)

    def drawing_generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        caption = self.read(batch)
        drawn = self.generator.stages(caption, *self.latents(batch.size, rng).values())
        logits = [each for image in drawn.images for each in self.discriminator(image, caption.sentence)]
        real = torch.stack([F.softplus(-each).mean() for each in logits]).sum()
        mean, log_variance = drawn.mean.float(), drawn.log_variance.float()
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean()
        seen = self.discriminator(drawn.images[-1])
        matched = self.matches(seen, caption, self.meaning.same(self.tokens(batch)))
        matching = torch.stack(list(matched.values())).sum()
        total = real + divergence + self.config.matching_weight * matching
        return Losses(total, {"kl": divergence, "matching": matching})


def _sides(config: Config) -> list[int]:
    return [config.image_size // 4, config.image_size // 2, config.image_size]
