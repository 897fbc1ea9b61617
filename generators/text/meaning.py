"""What a caption means, as far as it tells pictures apart: which of the classes it names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from generators.contract import TrainingData


class Meaning(nn.Module):
    """Tokens (B, T) -> which classes each caption names (B, K), 0 or 1; `classes` are some of `words`."""

    def __init__(self, words: Sequence[str], classes: Sequence[str]) -> None:
        super().__init__()
        numbers = torch.tensor([words.index(name) for name in classes], dtype=torch.int64)
        self.register_buffer("numbers", numbers, persistent=False)
        self.numbers: Tensor

    @classmethod
    def of(cls, data: TrainingData) -> Meaning:
        """The meanings that the captions of `data` have."""
        return cls(data.names["words"], classes_of(data))

    def forward(self, tokens: Tensor) -> Tensor:
        named: Tensor = (tokens[:, :, None] == self.numbers).any(1)
        return named.float()

    def same(self, tokens: Tensor) -> Tensor:
        """Whether two captions of a batch mean the same, (B, B) bool."""
        named: Tensor = self(tokens)
        same: Tensor = (named[:, None] == named[None]).all(2)
        return same


def classes_of(data: TrainingData) -> tuple[str, ...]:
    """The classes of `data` that are words; where it has none, each of its words tells pictures apart."""
    words = data.names["words"]
    return tuple(name for name in data.names.get("classes", ()) if name in words) or words[2:]
