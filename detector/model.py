"""`FakeDetector`: uint8 pixels in, a logit, a map of logits and logits of generator families out.

The discriminator of the house, trained against every generator at once. Two experts look at fixed
residuals, one at native size, where traces of small steps stand, and one at half the size, where those
of wide upsampling outlive compression and resizing; each answers for itself and the answers are added
(late fusion, as SEF does, arXiv 2605.14486: features joined early learn the easier expert alone).
Preprocessing is part of the network, hence of the exported graph; any height and width from 64 px in
steps of 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detector.backbone import Backbone, BackboneConfig
from detector.heads import Heads
from detector.stems import ResidualStem, Stem
from evidence.errors import ConfigMismatch, ModelNotFound


@dataclass(frozen=True)
class DetectorConfig:
    """What has to be known to build the network again; `families` names what the last head tells apart."""

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    half: BackboneConfig | None = None  # the expert at half the size; its trunk has two strides
    families: tuple[str, ...] = ()
    dropout: float = 0.1
    hidden: int = 0  # units of the readout (`heads.py`); none without

    def stem(self) -> Stem:
        """The fixed part that every expert looks through."""
        return ResidualStem()

    def expert(self, inputs: int, trunk: BackboneConfig) -> nn.Module:
        """One learned part, from so many channels on."""
        return Backbone(inputs, trunk)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> DetectorConfig:
        """The configuration `to_dict` wrote."""
        half = fields.get("half")
        return cls(
            backbone=_trunk(fields["backbone"]),
            half=_trunk(half) if half else None,
            families=tuple(fields.get("families", ())),
            dropout=fields["dropout"],
            hidden=fields.get("hidden", 0),
        )


PRESETS: dict[str, DetectorConfig] = {
    "default": DetectorConfig(
        backbone=BackboneConfig(channels=(20, 48, 64), dilations=(1,)),
        half=BackboneConfig(channels=(20, 48), dilations=(1, 2)),
    ),
    "tiny": DetectorConfig(BackboneConfig(channels=(8, 12, 16), dilations=(1,)), dropout=0.0),
}


class FakeDetector(nn.Module):
    """Pixels uint8 (B, H, W, 3), RGB -> logit (B,) and map (B, H / 8, W / 8), both float32 and raw.

    With families in its configuration a third answer follows: logits (B, families) of who made it, which
    mean something of forged pictures only.
    """

    def __init__(self, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config or PRESETS["default"]
        trunks = [self.config.backbone, *([self.config.half] if self.config.half else [])]
        self.stem = self.config.stem()
        self.experts = nn.ModuleList(self.config.expert(self.stem.channels, trunk) for trunk in trunks)
        self.heads = Heads(
            [trunk.channels[-1] for trunk in trunks],
            len(self.config.families),
            self.config.dropout,
            self.config.hidden,
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return tuple(answer.float() for answer in self.from_residuals(self.residuals(pixels)))

    def residuals(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """The fixed part: uint8 (B, H, W, 3) -> (B, 36, H / 2, W / 2); at half size (B, 36, H / 4, W / 4)."""
        channels_first = pixels.permute(0, 3, 1, 2).to(next(self.parameters()).dtype)
        native: Tensor = self.stem(channels_first)
        if self.config.half is None:
            return (native,)
        return native, self.stem(F.avg_pool2d(channels_first, 2))

    def from_residuals(self, residuals: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The learned part: residuals -> logit (B,), map (B, H / 8, W / 8) and, if any, families."""
        features = [expert(seen) for expert, seen in zip(self.experts, residuals, strict=True)]
        answers: tuple[Tensor, ...] = self.heads(features)
        return answers


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


def inherit(model: FakeDetector, path: Path) -> None:
    """Give `model` the weights of the detector in `path`; what that one had not keeps its own.

    That may be families and the readout. Raises ModelNotFound where there is none, ConfigMismatch for one of
    another build.
    """
    parent = load(path)
    mine, theirs = model.config.families, parent.config.families
    hidden = parent.config.hidden or model.config.hidden
    if replace(parent.config, families=mine, hidden=hidden) != model.config:
        raise ConfigMismatch(
            f"The detector in {path} is built otherwise than the one to be trained.",
            "Start from a detector of the same configuration.",
        )
    weights = parent.state_dict()
    known = [(mine.index(name), theirs.index(name)) for name in theirs if name in mine]
    for name, own in model.state_dict().items():
        if name.startswith("heads.family."):
            _take(own, weights[name], known)
        elif name.startswith("heads.readout.outer.") and name in weights:
            # The first answer is that of the picture.
            _take(own, weights[name], [(0, 0), *((to + 1, place + 1) for to, place in known)])
        elif name in weights:
            own.copy_(weights[name])


def _take(own: Tensor, theirs: Tensor, rows: Sequence[tuple[int, int]]) -> None:
    for to, place in rows:
        own[to] = theirs[place]


def _trunk(fields: dict[str, Any]) -> BackboneConfig:
    return BackboneConfig(**{name: tuple(value) for name, value in fields.items()})
