"""The losses: what each reading says of batches whose answer is known."""

import math

import pytest
import torch
from torch import Tensor

from detector.losses import UNNAMED, losses


def read(
    logits: list[float], forged: float, families: Tensor, named: Tensor | None = None
) -> dict[str, float]:
    """The losses of one pair with `logits` of (real, fake), the twin forged in `forged` of its area."""
    cells = torch.zeros(2, 10, 10)
    cells[1].view(-1)[: round(100 * forged)] = 1.0
    maps = torch.zeros(2, 10, 10)
    answers = (torch.tensor(logits), maps) if named is None else (torch.tensor(logits), maps, named)
    return {name: float(value) for name, value in losses(answers, cells, families, forged_share=0.2).items()}


def test_an_undecided_detector_pays_one_bit_for_each_reading() -> None:
    found = read([0.0, 0.0], 1.0, torch.tensor([UNNAMED]))

    assert found == pytest.approx({"picture": math.log(2), "cells": math.log(2), "rank": math.log(2)})


def test_a_picture_forged_in_a_small_part_has_no_label_as_a_whole() -> None:
    found = read([0.0, 50.0], 0.1, torch.tensor([UNNAMED]))

    assert found["picture"] == pytest.approx(math.log(2))  # of the real picture alone
    assert found["rank"] == 0.0


def test_the_family_is_asked_of_the_twin_alone_and_only_when_it_has_one() -> None:
    named = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]])  # of the real picture and of its twin

    right = read([0.0, 0.0], 1.0, torch.tensor([2]), named)["family"]
    wrong = read([0.0, 0.0], 1.0, torch.tensor([0]), named)["family"]
    unnamed = read([0.0, 0.0], 1.0, torch.tensor([UNNAMED]), named)["family"]

    assert right == pytest.approx(0.0, abs=1e-3)
    assert wrong == pytest.approx(9.0, abs=1e-3)
    assert unnamed == 0.0
