"""The adversarial losses, as plain functions of logits: one for each player.

Logits may have any shape (one per image or one per patch); every loss is a mean over all of them. Real
and fake logits must have the same shape where a loss pairs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus


def bce_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-log s(D(x)) - log(1 - s(D(G(z)))), summed over the two halves (Goodfellow et al. 2014, Eq. 1)."""
    return softplus(-real).mean() + softplus(fake).mean()


def bce_generator(fake: Tensor) -> Tensor:
    """-log s(D(G(z))): the non-saturating form (Goodfellow et al. 2014, section 3)."""
    return softplus(-fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """((D(x) - 1)^2 + D(G(z))^2) / 2 (Mao et al. 2017, 1611.04076, Eq. 9)."""
    return 0.5 * ((real - 1).square().mean() + fake.square().mean())


def least_squares_generator(fake: Tensor) -> Tensor:
    """(D(G(z)) - 1)^2 / 2 (Mao et al. 2017, Eq. 9)."""
    return 0.5 * (fake - 1).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))) (Lim and Ye 2017, 1705.02894)."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """D(G(z)) - D(x) (Arjovsky et al. 2017, 1701.07875); needs a gradient penalty."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-D(G(z)): the critic's score itself, also the generator's half of the hinge loss."""
    return -fake.mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(D(G(z)) - D(x)) over pairs (RpGAN; Huang et al. 2024, R3GAN, 2501.05441, Eq. 2)."""
    return softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(D(x) - D(G(z))): the same pairs with the players exchanged."""
    return softplus(real - fake).mean()


@dataclass(frozen=True)
class AdversarialLoss:
    """Both players' halves; the generator's takes the real logits too, which only RpGAN reads."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    pairs: bool = False  # whether the generator's half needs the logits of reals


LOSSES = {
    "bce": AdversarialLoss(bce_discriminator, lambda _, fake: bce_generator(fake)),
    "lsgan": AdversarialLoss(least_squares_discriminator, lambda _, fake: least_squares_generator(fake)),
    "hinge": AdversarialLoss(hinge_discriminator, lambda _, fake: wasserstein_generator(fake)),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, lambda _, fake: wasserstein_generator(fake)),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator, pairs=True),
}
