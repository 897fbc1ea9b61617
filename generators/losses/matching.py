"""The matching loss of pictures and captions (DAMSM of AttnGAN, Xu et al. 2017, 1711.10485, section 3.2).

Scores (B, B) hold each picture of a batch against each caption; the loss asks both to find their partner.
As in the released code, not the paper, the score of the words is left without its root 1/gamma2 (Eq. 10).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

GAMMA_REGIONS = 4.0  # gamma 1: how much a word looks at its best region; the paper says 5
GAMMA_WORDS = 5.0  # gamma 2: how much the best word counts
GAMMA_SCORES = 10.0  # gamma 3: how sharp the choice is


def sentence_scores(whole: Tensor, sentence: Tensor) -> Tensor:
    """The cosine of each picture (B, D) and each caption (B, D): (B, B)."""
    return F.normalize(whole.float(), dim=1) @ F.normalize(sentence.float(), dim=1).T


def word_scores(regions: Tensor, words: Tensor, mask: Tensor) -> Tensor:
    """Eq. 7-10: regions (B, D, R) against words (B, T, D), which are there where `mask` (B, T) is: (B, B)."""
    regions, words = regions.float(), words.float()
    missing = ~mask[None, :, :]
    similar = torch.einsum("idr,jtd->ijtr", regions, words)  # picture i, caption j
    over_words = similar.masked_fill(missing[..., None], float("-inf")).softmax(2)  # Eq. 8
    over_regions = (GAMMA_REGIONS * over_words).softmax(3)  # Eq. 9
    context = torch.einsum("ijtr,idr->ijtd", over_regions, regions)
    relevance = F.cosine_similarity(context, words[None], dim=3)  # (B, B, T)
    return (GAMMA_WORDS * relevance).masked_fill(missing, float("-inf")).logsumexp(2)  # Eq. 10


def matching_loss(scores: Tensor, same: Tensor) -> Tensor:
    """Eq. 11-12 both ways; captions that mean the `same` (B, B) as one's own are no wrong answers."""
    partners = torch.arange(len(scores), device=scores.device)
    others = same & ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    logits = (GAMMA_SCORES * scores).masked_fill(others, float("-inf"))
    return F.cross_entropy(logits, partners) + F.cross_entropy(logits.T, partners)
