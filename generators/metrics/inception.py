"""The Inception network that Inception Score and FID are defined on, from a file that we do not ship.

The network is torch-fidelity's port of the 2015 TensorFlow graph (Salimans et al. 2016, 1606.03498; Heusel
et al. 2017, 1706.08500), with its resize: TensorFlow 1's bilinear, not antialiased. Only features taken
with it may be called FID; any other extractor's scores carry that extractor's name.
"""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from evidence.errors import ModelError, ModelNotFound, ModelTampered

FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
# As GenForce (models/inception_model.py) and others write it down; the file's name ends in its first digits.
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
_MOST_BYTES = 200_000_000
_TIMEOUT_SECONDS = 60.0


class Inception(nn.Module):
    """Pool features (B, 2048) and the class probabilities (B, 1008) of the logits without bias."""

    name = "inception-v3-2015-12-05"
    resizer = "bilinear as TensorFlow 1, 299 px"

    def __init__(self, weights: Path) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        self.network = FeatureExtractorInceptionV3(
            self.name, ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights)
        )

    @torch.no_grad()
    def both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) in [-1, 1] -> features (B, 2048) and logits (B, 1008)."""
        levels = images.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
        colour = levels if levels.shape[1] == 3 else levels.repeat(1, 3, 1, 1)
        features, logits = self.network(colour)
        return features, logits

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in [-1, 1] -> (B, 2048)."""
        return self.both(images)[0]

    def probabilities(self, images: Tensor) -> NDArray[np.float64]:
        """(B, C, H, W) in [-1, 1] -> (B, 1008), what the Inception score reads."""
        found: NDArray[np.float64] = self.both(images)[1].double().softmax(dim=1).numpy()
        return found


def find_weights(given: str | None = None) -> Path:
    """The checked weights: at the path or address `given`, else in torch's cache.

    Raises ModelNotFound when there are none, ModelTampered when the file is another.
    """
    if given and given.startswith(("https://", "http://", "file://")):
        return checked(_download(given, cache() / FILE))
    if given:
        return checked(Path(given))
    if not (cache() / FILE).is_file():
        raise ModelNotFound(
            f"The Inception weights are not in {cache() / FILE}.",
            f"Fetch {URL}, give its path with --inception or set TOUCHSTONE_INCEPTION to it; or measure "
            "with --extractor random.",
        )
    return checked(cache() / FILE)


def cache() -> Path:
    """Where torch, and torch-fidelity with it, keeps downloaded weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def checked(path: Path) -> Path:
    """`path`, once its bytes have the sum they must have; pickled code in another file never runs."""
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelNotFound(
            f"The Inception weights {path} cannot be read: {error.strerror}.", f"Fetch {URL}."
        ) from None
    if found != SHA256:
        raise ModelTampered(
            f"{path} has sha256 {found}; the Inception weights' is {SHA256}.",
            f"Fetch {URL} again: another file's scores would be no FID.",
        )
    return path


def _download(url: str, target: Path) -> Path:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read(_MOST_BYTES)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_suffix(".part")
        beside.write_bytes(content)
        checked(beside).replace(target)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ModelError(
            f"The Inception weights cannot be had from {url}: {reason}.",
            "Fetch the file where there is a network and give its path with --inception.",
        ) from None
    return target
