"""Chains for moving pictures: a codec sees the whole clip, frames are dropped, masks keep step."""

import numpy as np
import pytest

from detector.clips import apply_to_clip, apply_to_masks, changes_rate, keeps
from detector.corrupt import Step, apply
from detector.operations import FRAME_CODECS
from tests.detector.pictures import photograph

HALF = Step("frame_rate", {"factor": 0.5})


def test_half_the_frame_rate_keeps_every_second_frame_and_mask() -> None:
    frames = [np.full((32, 32, 3), level, np.uint8) for level in range(7)]

    shown, rate = apply_to_clip(frames, [HALF], 30.0)
    masks = apply_to_masks([frame[:, :, 0] for frame in frames], [HALF])

    assert [int(frame[0, 0, 0]) for frame in shown] == [0, 2, 4, 6]
    assert [int(mask[0, 0]) for mask in masks] == [0, 2, 4, 6]
    assert rate == 15.0


def test_rates_multiply_and_the_first_frame_always_stays() -> None:
    twice = [HALF, Step("blur", {"sigma": 1.0}), HALF]

    assert [index for index in range(10) if keeps(index, twice)] == [0, 4, 8]
    assert [index for index in range(11) if keeps(index, [Step("frame_rate", {"factor": 0.8})])] == [
        *(0, 2, 3, 4, 5, 7, 8, 9, 10)
    ]
    assert changes_rate(twice)
    assert not changes_rate([Step("blur", {"sigma": 1.0})])


@pytest.mark.parametrize("codec", FRAME_CODECS)
def test_a_codec_predicts_later_frames_of_a_clip_from_earlier_ones(codec: str) -> None:
    # Given a clip that stands still
    frames = [photograph(3, 70, 90)] * 6
    step = Step("video", {"crf": 40, "codec": codec})

    shown, _ = apply_to_clip(frames, [step], 25.0)
    alone = apply(frames[0], [step])

    # Then it has as many frames of the same size, the first as a single picture comes out of it,
    # and a later one is not coded anew from nothing
    assert [frame.shape for frame in shown] == [(70, 90, 3)] * 6
    assert np.array_equal(shown[0], alone)
    again, _ = apply_to_clip(frames, [step], 25.0)
    assert all(np.array_equal(one, other) for one, other in zip(shown, again, strict=True))
    drift = np.abs(shown[-1].astype(int) - shown[-2]).mean()
    assert drift < np.abs(shown[0].astype(int) - frames[0]).mean() / 2


def test_noise_moves_from_frame_to_frame_and_a_caption_stays() -> None:
    grey = [np.full((64, 64, 3), 128, np.uint8)] * 2

    noisy, _ = apply_to_clip(grey, [Step("noise", {"sigma": 4.0, "seed": 1})], 25.0)
    written, _ = apply_to_clip(grey, [Step("caption", {"share": 0.2, "seed": 1})], 25.0)

    assert not np.array_equal(noisy[0], noisy[1])
    assert np.array_equal(written[0], written[1])
