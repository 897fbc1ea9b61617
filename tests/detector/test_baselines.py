"""Baselines look at what their papers look at, train by our loop, and leave as ONNX."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from detector.baselines import (
    BASELINES,
    HaarStem,
    MedianStem,
    NearestStem,
    PatchTrunk,
    load_baseline,
)
from detector.contenders import training_of
from detector.model import FakeDetector
from detector.train import WEIGHTS, train_detector
from exports.to_onnx import Identity, export_detector
from tests.detector.pictures import photograph


def planes(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()


def test_the_nearest_neighbour_residual_is_x_less_up_of_down_of_x() -> None:
    pixels = photograph(0, 64, 72)
    down_up = np.repeat(np.repeat(pixels[::2, ::2], 2, 0), 2, 1).astype(int)

    found = NearestStem()(planes(pixels))[0].reshape(3, 3, 32, 36) * 16

    wanted = pixels.astype(int) - down_up
    for phase, (y, x) in enumerate(((0, 1), (1, 0), (1, 1))):
        assert np.array_equal(found[phase].numpy(), wanted[y::2, x::2].transpose(2, 0, 1))


def test_the_haar_stem_sees_a_checkerboard_and_no_stripes() -> None:
    y, x = np.mgrid[:64, :64]
    board = np.repeat(((y + x) % 2 * 16)[:, :, None], 3, 2).astype(np.uint8)
    stripes = np.repeat((x % 2 * 16)[:, :, None], 3, 2).astype(np.uint8)

    assert torch.equal(HaarStem()(planes(board)), torch.full((1, 3, 32, 32), -2.0))
    assert not HaarStem()(planes(stripes)).any()


def test_the_median_stem_takes_the_lower_median_of_the_eight_around() -> None:
    pixels = photograph(1, 64, 64)
    shifts = [np.roll(pixels, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    wanted = (pixels.astype(int) - np.sort(np.stack(shifts), 0)[3])[1:-1, 1:-1]

    found = torch.nn.functional.pixel_shuffle(MedianStem()(planes(pixels)) * 16, 2)[0].permute(1, 2, 0)

    assert np.array_equal(found[1:-1, 1:-1].numpy(), wanted)
    assert not found[0].any()
    assert not found[:, -1].any()


def test_a_patch_sees_eight_pixels_and_no_more() -> None:
    trunk = PatchTrunk(12, BASELINES["patch"].backbone).eval()
    before = torch.rand(1, 12, 16, 16)
    after = before.clone()
    after[:, :, 5, 5] += 1.0  # pixels 10 and 11

    features = [trunk.points(trunk.step(trunk.patch(one))) for one in (before, after)]

    changed = (features[0] != features[1]).any(1)[0].nonzero()
    assert set(map(tuple, changed.tolist())) <= {(2, 2), (2, 3), (3, 2), (3, 3)}
    assert len(changed) > 0


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_a_baseline_answers_for_any_size_with_a_cell_for_eight_pixels(name: str) -> None:
    net = FakeDetector(BASELINES[name]).eval()

    with torch.no_grad():
        logit, cells = net(torch.from_numpy(np.stack([photograph(seed, 72, 104) for seed in range(3)])))

    assert (logit.shape, cells.shape) == ((3,), (3, 9, 13))
    assert torch.isfinite(cells).all()


@pytest.mark.parametrize("name", ["median", "patch"])  # the two whose graphs have more than convolutions
def test_a_baseline_trains_by_our_loop_and_its_file_answers_alike(
    name: str, forge: Path, tmp_path: Path
) -> None:
    # Given a baseline trained for a moment
    config = training_of(name, crops=16)
    config = replace(config, pairs=replace(config.pairs, pairs=4, crop=64), bfloat16=False)
    train_detector(forge, tmp_path, config=config, workers=0)
    net: FakeDetector = load_baseline(tmp_path / WEIGHTS)

    # When it is written and run on a size it was not written with
    export_detector(net, tmp_path / "net.onnx", Identity(name, "1"), len(net.config.families))
    pixels = np.stack([photograph(seed, 72, 104) for seed in range(3)])
    session = ort.InferenceSession((tmp_path / "net.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    logit, cells, *_ = session.run(None, {"pixels": pixels})

    # Then both answer alike, a cell for 8 x 8 px
    with torch.no_grad():
        wanted = net(torch.from_numpy(pixels))
    assert cells.shape == (3, 9, 13)
    assert np.abs(logit - wanted[0].numpy()).max() < 1e-4  # of float32 in another order
    assert np.abs(cells - wanted[1].numpy()).max() < 1e-4
