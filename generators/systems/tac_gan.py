"""TAC-GAN: a DCGAN told a caption, whose discriminator names what the picture shows (Dash et al. 2017).

1703.06412; `published` follows the released code (dashayushman/TAC-GAN): 128 px, text of 4800 numbers,
latents uniform in [-1, 1], two steps of G for each of D, a sigmoid for each class and no softmax. Its text is
skip-thought vectors; no such weights are here, so an encoder of that size learns to match captions and
pictures first. Its classes are 102 flowers; a set of captions has none, so the discriminator names the words
that tell pictures apart. A caption of the same meaning is no wrong caption.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.contract import Batch, Floor, Losses, Optimisation, Preset
from generators.text.encoder import Caption
from generators.text.matcher import Matcher
from generators.text.model import CaptionModel, mean_where


@dataclass(frozen=True)
class Config:
    """`words` and `classes` are those of the data; these stand in until it is opened.

    `generator_width` and `discriminator_width` channels stand at half resolution and double with each of the
    `halvings`. `text` numbers of a caption are condensed to `condensed`.
    """

    image_size: int = 128
    halvings: int = 4
    generator_width: int = 64
    discriminator_width: int = 64
    discriminator_norm: bool = True
    latent: int = 100
    latent_law: Literal["uniform"] = "uniform"
    text: int = 4800
    condensed: int = 100
    class_weight: float = 1.0
    embedding: int = 620
    matcher_width: int = 64
    dropout: float = 0.5
    length: int = 18  # words of a caption that are read
    matching_images: int = 5_000_000
    matching_batch: int = 128
    naming_weight: float = 0.0
    words: tuple[str, ...] = ("", "?", "flower")
    classes: tuple[str, ...] = ("flower",)


PRESETS = {
    "published": Preset(
        config=Config(),
        # 400 epochs of 8 189 flowers, after the encoders' own.
        optimisation=Optimisation(
            batch=128, generator_steps=2, ema_half_life_images=0.0, total_images=5_000_000 + 400 * 8_189
        ),
        data="captions",
        budget_minutes=1_200.0,
    ),
    "shipped": Preset(
        # 64 px: what a quarter of an hour on a core can learn. No batch norm in D, but R1 and DiffAugment, as
        # `dcgan.py` found. The mean over words, most of them easy, weighs 2: the source is not to drown.
        config=Config(
            image_size=64,
            generator_width=32,
            discriminator_width=32,
            discriminator_norm=False,
            latent=64,
            text=64,
            condensed=32,
            class_weight=2.0,
            embedding=32,
            matcher_width=16,
            dropout=0.0,
            length=22,
            matching_images=80_000,
            matching_batch=64,
            naming_weight=4.0,
        ),
        optimisation=Optimisation(
            batch=32,
            generator_lr=5e-4,
            discriminator_lr=5e-4,
            betas=(0.0, 0.9),
            penalty="r1",
            penalty_weight=0.3,
            penalty_interval=8,
            augment="color,translation",
            precision="bf16",
            total_images=160_000,
        ),
        data="faces-celeba",
        budget_minutes=15.0,
        floors=(Floor("r_precision", least=0.5), Floor("fid_ratio", most=0.3)),
    ),
    "smoke": Preset(
        config=Config(
            image_size=32,
            generator_width=4,
            discriminator_width=4,
            latent=8,
            text=8,
            condensed=4,
            embedding=8,
            matcher_width=4,
            length=12,
            matching_images=0,
            matching_batch=4,
        ),
        optimisation=Optimisation(batch=4, generator_steps=2, ema_half_life_images=32.0, total_images=32),
        data="faces-celeba",
        budget_minutes=0.1,
    ),
}


class Generator(nn.Module):
    """A caption and z (B, latent) -> image (B, 3, S, S) in [-1, 1]; 5x5 transposed convolutions."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = _widths(config.generator_width, config)[::-1]
        self.shape = (widths[0], *(2 * (config.image_size >> config.halvings,)))
        self.condense = _condense(config)
        self.project = nn.Linear(config.latent + config.condensed, widths[0] * self.shape[1] * self.shape[2])
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for inputs, outputs in pairwise(widths):
            layers += [_up(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, _up(widths[-1], 3), nn.Tanh())
        self.apply(_initialise)

    def forward(self, caption: Caption, z: Tensor) -> Tensor:
        flat = self.project(torch.cat((z, self.condense(caption.sentence)), 1))
        images: Tensor = self.layers(flat.reshape(-1, *self.shape))
        return images


class Discriminator(nn.Module):
    """Images, and sentences (B, text) each -> logit and class logits (B, 1 + K) for each of the sentences.

    For images alone what the matcher sees in them: regions (B, text, R) and the whole (B, text).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.matcher = Matcher.of(config)
        layers: list[nn.Module] = []
        widths = (3, *_widths(config.discriminator_width, config))
        for n, (inputs, outputs) in enumerate(pairwise(widths)):
            norms = [nn.BatchNorm2d(outputs)] if config.discriminator_norm and n > 0 else []
            layers += [nn.Conv2d(inputs, outputs, 5, 2, 2), *norms, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.condense = _condense(config)
        top, bottom = widths[-1], config.image_size >> config.halvings
        norm = nn.BatchNorm2d(top) if config.discriminator_norm else nn.Identity()
        self.joint = nn.Sequential(
            nn.Conv2d(top + config.condensed, top, 1), norm, nn.LeakyReLU(0.2), nn.Flatten()
        )
        self.head = nn.Linear(top * bottom**2, 1 + len(config.classes))
        for part in (self.layers, self.condense, self.joint, self.head):
            part.apply(_initialise if config.discriminator_norm else _scaled)

    def forward(self, images: Tensor, *sentences: Tensor) -> tuple[Tensor, ...]:
        if not sentences:
            seen: tuple[Tensor, ...] = self.matcher.pictures(images)
            return seen
        found = self.layers(images)
        return tuple(self._judge(found, sentence) for sentence in sentences)

    def _judge(self, found: Tensor, sentence: Tensor) -> Tensor:
        said = self.condense(sentence)[:, :, None, None].expand(-1, -1, *found.shape[2:])
        logits: Tensor = self.head(self.joint(torch.cat((found, said), 1)))
        return logits.float()


class TacGan(CaptionModel):
    """Real, wrong and fake each have a half of their own, and each names its classes; all weigh the same."""

    name = "tac_gan"
    paper = "Dash et al. 2017, TAC-GAN: Text Conditioned Auxiliary Classifier GAN, arXiv 1703.06412"
    tags: ClassVar[dict[str, str]] = {"upsampler": "transposed-k5s2", "normalisation": "batch", "loss": "bce"}

    config: Config

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__(config, optimisation, Generator(config), Discriminator(config))

    def latents(self, count: int, rng: torch.Generator) -> dict[str, Tensor]:
        return {"z": torch.rand(count, self.config.latent, generator=rng, device=rng.device) * 2 - 1}

    def judged(self, images: Tensor, caption: Caption) -> Tensor:
        logits: Tensor = self.discriminator(images, caption.sentence)[0]
        return logits[:, 0]

    def drawing_discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        tokens, caption = self.tokens(batch), self.read(batch)
        named, sentence = self.meaning(tokens), caption.sentence
        with torch.no_grad():
            fakes = self.sample(batch, batch.size, rng)
        # The wrong picture of a caption is the right one of another: it is named by what it shows.
        real, wrong = self.discriminator(batch.images, sentence, sentence.roll(-1, 0))
        (fake,) = self.discriminator(fakes, sentence)
        source = (
            F.softplus(-real[:, 0]).mean()
            + mean_where(F.softplus(wrong[:, 0]), self.wrong(tokens))
            + F.softplus(fake[:, 0]).mean()
        )
        classes = torch.stack([_naming(logits, named) for logits in (real, wrong, fake)])
        total = source + self.config.class_weight * classes.sum()
        return Losses(total, {"source": source, "class_of_reals": classes[0], "class_of_fakes": classes[2]})

    def drawing_generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        (fake,) = self.discriminator(self.sample(batch, batch.size, rng), self.read(batch).sentence)
        naming = _naming(fake, self.meaning(self.tokens(batch)))
        total = F.softplus(-fake[:, 0]).mean() + self.config.class_weight * naming
        return Losses(total, {"naming": naming})


def _naming(logits: Tensor, named: Tensor) -> Tensor:
    # A sigmoid for each class: a picture may be of several.
    return F.binary_cross_entropy_with_logits(logits[:, 1:], named)


def _widths(width: int, config: Config) -> list[int]:
    return [width * 2**n for n in range(config.halvings)]


def _condense(config: Config) -> nn.Module:
    return nn.Sequential(nn.Linear(config.text, config.condensed), nn.LeakyReLU(0.2))


def _up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _scaled(module: nn.Module) -> None:  # where no norm follows, 0.02 leaves nothing of a picture
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, 0.2)
