"""`FakeDetector`: uint8 pixels in, a logit and a map of logits out, high = fake.

The discriminator of the house, trained against every generator at once: fixed residual stems, a
small fully convolutional trunk, two heads. Preprocessing is part of the network, hence of the
exported graph; any height and width from 64 px in steps of 8.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from detector.backbone import Backbone, BackboneConfig
from detector.heads import Heads
from detector.stems import ResidualStem
from evidence.errors import ModelNotFound


@dataclass(frozen=True)
class DetectorConfig:
    """What has to be known to build the network again."""

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    dropout: float = 0.1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> DetectorConfig:
        """The configuration `to_dict` wrote."""
        trunk = {name: tuple(value) for name, value in fields["backbone"].items()}
        return cls(backbone=BackboneConfig(**trunk), dropout=fields["dropout"])


PRESETS: dict[str, DetectorConfig] = {
    "default": DetectorConfig(),
    "tiny": DetectorConfig(BackboneConfig(channels=(8, 12, 16), dilations=(1,)), dropout=0.0),
}


class FakeDetector(nn.Module):
    """Pixels uint8 (B, H, W, 3), RGB -> logit (B,) and map (B, H / 8, W / 8), both float32 and raw."""

    def __init__(self, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config or DetectorConfig()
        self.stem = ResidualStem()
        self.backbone = Backbone(ResidualStem.channels, self.config.backbone)
        self.heads = Heads(self.backbone.features, self.config.dropout)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        logits, cells = self.from_residuals(self.residuals(pixels))
        return logits.float(), cells.float()

    def residuals(self, pixels: Tensor) -> Tensor:
        """The fixed part: uint8 (B, H, W, 3) -> (B, 36, H / 2, W / 2)."""
        channels_first = pixels.permute(0, 3, 1, 2).to(self.stem.kernels.dtype)
        residuals: Tensor = self.stem(channels_first)
        return residuals

    def from_residuals(self, residuals: Tensor) -> tuple[Tensor, Tensor]:
        """The learned part: residuals -> logit (B,) and map (B, H / 8, W / 8)."""
        logits, cells = self.heads(self.backbone(residuals))
        return logits, cells


def save(model: FakeDetector, path: Path) -> None:
    """Write the configuration and the weights as one file that `load` reads."""
    torch.save({"config": model.config.to_dict(), "weights": model.state_dict()}, path)


def load(path: Path) -> FakeDetector:
    """The detector in `path`, in evaluation mode; ModelNotFound when there is none."""
    if not path.is_file():
        raise ModelNotFound(f"There is no detector at {path}.", "Train one with `touchstone train detector`.")
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = FakeDetector(DetectorConfig.from_dict(saved["config"]))
    model.load_state_dict(saved["weights"])
    return model.eval()
