"""What the readout sees of the features: means, deviations and local extremes, expert by expert."""

import torch

from detector.heads import WINDOW, Heads, summary


def test_a_strong_part_is_an_extreme_and_a_lone_cell_is_none() -> None:
    still = torch.zeros(3, 1, 16, 16)
    still[1, 0, 2 : 2 + WINDOW, 1 : 1 + WINDOW] = -3.0
    still[2, 0, 4, 4] = 3.0

    mean, deviation, largest, smallest = summary([still]).T

    torch.testing.assert_close(mean, torch.tensor([0.0, -75 / 256, 3 / 256]))
    assert deviation[0] == 0.01
    assert deviation[1] > deviation[2] > 0.1
    assert largest[0] == 0
    torch.testing.assert_close(largest[2], torch.tensor(3 / 25))
    torch.testing.assert_close(smallest, torch.tensor([0.0, -3.0, 0.0]))


def test_the_readout_counts_every_expert_and_adds_to_picture_and_families() -> None:
    heads = Heads((2, 3), families=4, dropout=0.0, hidden=6)
    features = [torch.randn(5, 2, 8, 8), torch.randn(5, 3, 8, 8)]
    logits, cells, families = heads(features)
    assert heads.readout is not None
    with torch.no_grad():
        heads.readout.outer.bias.copy_(torch.arange(5.0))

    after = heads(features)

    assert summary(features).shape == (5, 20)
    torch.testing.assert_close(after[0], logits + 0.0)
    torch.testing.assert_close(after[1], cells)
    torch.testing.assert_close(after[2], families + torch.tensor([1.0, 2.0, 3.0, 4.0]))
