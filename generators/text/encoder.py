"""The caption encoder of AttnGAN: a bidirectional LSTM, as `nn.LSTM` gives it on packed captions.

Xu et al. 2017 (1711.10485), section 3.1 and the released `RNN_ENCODER`. Packing does not export; here each
direction reads the caption from its own first word to its last, the second through an index that turns the
words around within the caption's length, so what fills a caption up is never read before its words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from generators.text.vocabulary import END


@dataclass(frozen=True)
class Caption:
    """What captions say: `words` (B, T, D), `sentence` (B, D), and `mask` (B, T), true where words are."""

    words: Tensor
    sentence: Tensor
    mask: Tensor

    def detached(self) -> Caption:
        """The same, without a way back to the encoder."""
        return Caption(self.words.detach(), self.sentence.detach(), self.mask)


class CaptionEncoder(nn.Module):
    """Tokens (B, T) int64, 0 where the caption has ended -> Caption with D = `size`."""

    def __init__(self, vocabulary: int, *, embedding: int, size: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, embedding)
        self.dropout = nn.Dropout(dropout)
        self.onward, self.reverse = Lstm(embedding, size // 2), Lstm(embedding, size // 2)
        nn.init.uniform_(self.embed.weight, -0.1, 0.1)

    def forward(self, tokens: Tensor) -> Caption:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        # An empty caption counts as one word, so that attention always has something to look at.
        length = (tokens != END).sum(1, keepdim=True).clamp(min=1)  # (B, T) -> (B, 1)
        mask = places < length
        turned = torch.where(mask, length - 1 - places, places)  # its own inverse
        read = self.dropout(self.embed(tokens))
        onward = self.onward(read)
        backward = _at(self.reverse(_at(read, turned)), turned)
        words = torch.cat((onward, backward), 2) * mask[:, :, None]  # (B, T, D)
        last = _at(onward, length - 1)[:, 0]
        return Caption(words, torch.cat((last, backward[:, 0]), 1), mask)


class Lstm(nn.Module):
    """Vectors (B, T, E) -> states (B, T, H), as `nn.LSTM`, whose flat weights torch.export refuses."""

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        shapes = ((4 * size, inputs), (4 * size, size), (4 * size,), (4 * size,))
        self.weights = nn.ParameterList(torch.empty(shape) for shape in shapes)
        self.size = size
        for weight in self.weights:
            nn.init.uniform_(weight, -(size**-0.5), size**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        start = x.new_zeros(1, x.shape[0], self.size)
        states: Tensor = torch.lstm(
            x, (start, start), list(self.weights), True, 1, 0.0, self.training, False, True
        )[0]
        return states


def _at(x: Tensor, places: Tensor) -> Tensor:
    # x (B, T, D) at places (B, K) -> (B, K, D)
    return x.gather(1, places[:, :, None].expand(-1, -1, x.shape[2]))
