"""PatchGAN: a discriminator that judges each patch by itself (Isola et al. 2016, 1611.07004, section 3.2.2).

Layers and sizes as released (phillipi/pix2pix and junyanz/pytorch-CycleGAN-and-pix2pix). Norms look at
one picture, as theirs do at batch 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evidence.errors import UsageError


class PatchDiscriminator(nn.Module):
    """(B, C, H, W) -> logits (B, h, w), one for each patch; three layers of stride 2 see 70 x 70 pixels.

    `width` channels follow the first layer and double at each next one, up to eightfold. `condition` is
    the number of channels of a second picture that stands beside the first, 0 for none. `affine` norms
    have gain and shift, and no bias before them.
    """

    def __init__(
        self, channels: int, *, width: int, layers: int = 3, condition: int = 0, affine: bool = True
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = [nn.Conv2d(channels + condition, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        inputs = width
        for n in range(1, layers + 1):
            outputs = width * min(2**n, 8)
            stride = 2 if n < layers else 1
            stages += [
                nn.Conv2d(inputs, outputs, 4, stride, 1, bias=not affine),
                nn.InstanceNorm2d(outputs, affine=affine),
                nn.LeakyReLU(0.2),
            ]
            inputs = outputs
        self.layers = nn.Sequential(*stages, nn.Conv2d(inputs, 1, 4, 1, 1))
        self.apply(initialise)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        beside = images if condition is None else torch.cat((condition, images), 1)
        logits: Tensor = self.layers(beside)
        return logits[:, 0].float()  # (B, 1, h, w) -> (B, h, w)


def require_patches(size: int, layers: int) -> None:
    """Raise UsageError where pictures of `size` pixels leave the last norm less than 2 x 2 places."""
    if size >> layers < 3:
        most = (size // 3).bit_length() - 1
        raise UsageError(
            f"A PatchGAN of patch_layers={layers} cannot judge pictures of {size} px.",
            f"Take patch_layers of {most} at most, or a larger image_size.",
        )


def receptive_field(layers: int) -> int:
    """The side in pixels of what one logit sees."""
    side = 4  # the last layer, then the one of stride 1, then those of stride 2
    for stride in (1, *[2] * layers):
        side = (side - 1) * stride + 4
    return side


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02), biases 0, gains N(1, 0.02), as both papers."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.InstanceNorm2d) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
