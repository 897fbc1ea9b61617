"""What is hidden in training: the same on both sides of a pair, as much as was asked, nothing else."""

import torch

from detector.masking import kept_patches, without_frequencies, without_patches


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_patches_are_dropped_alike_on_both_sides_of_a_pair_and_at_every_stride() -> None:
    kept = kept_patches((4, 72, 64), 0.5, rng())

    native = without_patches(torch.ones(4, 3, 36, 32), kept, 2)
    half = without_patches(torch.ones(4, 3, 18, 16), kept, 4)

    assert 0.2 < float(kept.mean()) < 0.8
    assert torch.equal(native[:2], native[2:])
    assert torch.equal(native[:, :, ::2, ::2], half)
    assert torch.equal(native[0, 0, :8, :8], kept[0, 0, 0, 0].expand(8, 8))


def test_without_a_share_nothing_is_dropped() -> None:
    pixels = torch.randint(0, 256, (2, 32, 48, 3), generator=rng(), dtype=torch.uint8)

    assert kept_patches((2, 32, 48), 0.0, rng()).min() == 1
    assert torch.equal(without_frequencies(pixels, 0.0, rng()), pixels)


def test_frequencies_go_from_a_pair_alike_and_its_brightness_stays() -> None:
    pixels = torch.randint(100, 156, (1, 64, 64, 3), generator=rng(), dtype=torch.uint8).repeat(2, 1, 1, 1)

    masked = without_frequencies(pixels, 0.5, rng())

    assert torch.equal(masked[0], masked[1])
    assert not torch.equal(masked, pixels)
    assert abs(float(masked.float().mean() - pixels.float().mean())) < 0.1
    spread, before = masked.float().var(), pixels.float().var()
    assert 0.35 < float(spread / before) < 0.65
