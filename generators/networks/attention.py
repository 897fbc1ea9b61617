"""Word attention: each place of a map looks for the words that concern it (AttnGAN, Xu et al. 2017).

1711.10485, section 3.1 and the released `GlobalAttentionGeneral`. There the mask of words is repeated in the
wrong order (issue 93 of taoxugit/AttnGAN), which hides other captions' words; here it stands on (B, Q, T).
"""

from __future__ import annotations

from torch import Tensor, nn


class WordAttention(nn.Module):
    """Map h (B, C, H, W), words (B, T, D), mask (B, T) -> the words each place sees, (B, C, H, W)."""

    def __init__(self, channels: int, text: int) -> None:
        super().__init__()
        self.project = nn.Linear(text, channels, bias=False)

    def forward(self, h: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        keys = self.project(words)  # (B, T, D) -> (B, T, C)
        scores = h.flatten(2).transpose(1, 2) @ keys.transpose(1, 2)  # (B, Q, T)
        shares = scores.masked_fill(~mask[:, None, :], float("-inf")).softmax(2)
        seen: Tensor = (shares @ keys).transpose(1, 2)  # (B, Q, C) -> (B, C, Q)
        return seen.reshape(h.shape)
