"""R-precision: does a picture find its own caption among others (Xu et al. 2017, 1711.10485, section 4)?

Held-out captions are put into groups of ten that all differ in meaning, drawn as often as they are used; each
picture of a group chooses among the ten. So whoever always chooses alike is right once in ten, though half
of the faces share two captions. The paper draws 99 others, and its judge is the very pair of encoders that
the generator was trained against. Here the judge is another pair, trained from other first weights on the
training part alone, which no generator ever sees. Held-out photographs are judged beside the samples: what
the judge gets wrong on them is not the generator's fault.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from evidence.errors import DataError
from generators.contract import Batch, TrainingData
from generators.data.captions import CaptionSet
from generators.losses.matching import matching_loss, sentence_scores
from generators.metrics.keeping import load_or_train
from generators.text.matcher import Matcher
from generators.text.meaning import Meaning, classes_of
from generators.training.budget import rng_at

CANDIDATES = 10
GROUPS = 100
PICTURES = 512
BATCH = 32
KEPT = Path("runs") / "judges"


@torch.no_grad()
def r_precision_of(
    sample: Callable[[Batch], Tensor], held_out: TrainingData, folder: Path = KEPT
) -> dict[str, float]:
    """The share of samples and of photographs whose caption comes first; {} for a set without captions."""
    if not isinstance(held_out, CaptionSet):
        return {}
    judge = judge_of(held_out.reference, folder)
    batches = [held_out.draw(BATCH, rng_at(0, n, "r precision")) for n in range(PICTURES // BATCH)]
    tokens = torch.cat([batch.extra["tokens"] for batch in batches])
    groups = groups_of(Meaning.of(held_out)(tokens), rng_at(0, 0, "groups"))
    sentences = judge.text(tokens).sentence
    reals = [judge.pictures(batch.images)[1] for batch in batches]
    fakes = [judge.pictures(sample(batch).float().cpu())[1] for batch in batches]
    return {
        "r_precision": precision(torch.cat(fakes), sentences, groups),
        "r_precision_of_reals": precision(torch.cat(reals), sentences, groups),
    }


def groups_of(meanings: Tensor, rng: torch.Generator) -> Tensor:
    """Numbers of captions (G, 10) whose `meanings` (N, K) differ; fewer in a group where there are fewer."""
    _, kinds = torch.unique(meanings, dim=0, return_inverse=True)
    size = min(CANDIDATES, int(kinds.max()) + 1)
    if size < 2:
        raise DataError(
            "All captions of the held-out pictures mean the same.", "Give captions that tell pictures apart."
        )
    groups = []
    for _ in range(GROUPS):
        chosen: dict[int, int] = {}
        for number in torch.randperm(len(kinds), generator=rng).tolist():
            chosen.setdefault(int(kinds[number]), number)
        groups.append(list(chosen.values())[:size])
    return torch.tensor(groups)


def precision(pictures: Tensor, sentences: Tensor, groups: Tensor) -> float:
    """The share of `pictures` (N, D) that in their group (G, R) are most like their own of `sentences`."""
    seen, said = F.normalize(pictures, dim=1)[groups], F.normalize(sentences, dim=1)[groups]
    likeness = torch.einsum("gpd,gcd->gpc", seen, said)
    own = torch.arange(groups.shape[1])
    return float((likeness.argmax(2) == own).float().mean())


@torch.enable_grad()  # figures are taken without
def train_judge(data: CaptionSet, *, steps: int = 900, batch: int = 64, seed: int = 1) -> Matcher:
    """Encoders of pictures and captions in one space, the same for the same `seed` on one kind of machine."""
    meaning = Meaning.of(data)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        judge = _shaped(data)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=1e-2)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        drawn = data.draw(batch, rng_at(seed, step, "judge data"))
        tokens = drawn.extra["tokens"]
        optimiser.zero_grad()
        whole, sentence = judge.pictures(drawn.images)[1], judge.text(tokens).sentence
        matching = matching_loss(sentence_scores(whole, sentence), meaning.same(tokens))
        torch.autograd.backward(matching + 4 * judge.naming_loss(whole, sentence, meaning(tokens)))
        optimiser.step()
    return judge.requires_grad_(False).eval()


def judge_of(data: CaptionSet, folder: Path = KEPT) -> Matcher:
    """The judge of this set kept in `folder`; trained on `data` and kept there the first time."""
    key = (sorted(data.sha256.items()), tuple(data.pixels.shape))
    shaped = partial(_shaped, data)
    return load_or_train(folder, key, shaped=shaped, trained=lambda: train_judge(data), prefix="captions-")


def _shaped(data: CaptionSet) -> Matcher:
    return Matcher(
        data.pixels.shape[1],
        len(data.names["words"]),
        embedding=32,
        size=64,
        width=16,
        classes=len(classes_of(data)),
    )
