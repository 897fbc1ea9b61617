"""Raw findings of known pictures: logits, grids, faces, frames, and what is asked of the detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from detector.scores import Detect, Scores
from detector.tiles import SIZE
from evidence.errors import DamagedMedia, TooSmall
from evidence.medium import Pixels
from tests.doubles import MediumOf, colour
from tests.tiny_detector import CALIBRATION, picture
from worker.findings import Findings
from worker.scan import Lens, Medium, OnFrame, examine, flat_share, judge_picture


@dataclass(frozen=True)
class Spot:
    """A face where it is said to be."""

    box: tuple[float, float, float, float]
    score: float = 0.9


class OneFace:
    """A finder that sees the same face in every picture."""

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = box

    def find(self, pixels: Pixels) -> list[Spot]:
        return [Spot(self.box)]


def examined(
    medium: Medium,
    lens: Lens | None = None,
    on_frame: OnFrame | None = None,
    detect: Detect = colour,
) -> tuple[Findings, list[tuple[int, ...]]]:
    """The findings, and the shapes of tiles that were asked for."""
    examination = examine(medium, lens or Lens(CALIBRATION), on_frame)
    asked = []
    request = next(examination)
    while True:
        asked.append(request.shape)
        try:
            request = examination.send(detect(request))
        except StopIteration as done:
            return done.value, asked


def test_a_still_is_cut_into_native_tiles_and_gets_one_logit() -> None:
    found, asked = examined(MediumOf([picture(256, 512, lean=-6)]))

    assert asked == [(2, SIZE, SIZE, 3)]  # clearly real: no trials
    # whole and part add: log(exp(-6) + exp(-6 - 2)), and rounding the colours moves the mean a little.
    assert found.logit == pytest.approx(np.logaddexp(-6, -8), abs=0.05)
    assert found.grid.shape == (32, 64)
    assert (found.tiles, found.tiles_to_cover) == (2, 2)


def test_what_is_not_clearly_real_is_tried_again_and_again() -> None:
    found, asked = examined(MediumOf([picture(256, 256, lean=4)]))

    assert len(found.trials) == 5
    assert [shape[1:3] for shape in asked] == [(256, 256), (256, 256), (224, 224), (248, 248)]
    assert all(trial.logit == pytest.approx(found.logit, abs=0.2) for trial in found.trials)


def test_a_large_picture_costs_no_more_than_its_tiles() -> None:
    found, asked = examined(MediumOf([picture(1500, 1500, lean=-6)]), Lens(CALIBRATION, tiles_per_image=5))

    assert asked == [(5, SIZE, SIZE, 3)]
    assert found.tiles == 5 < found.tiles_to_cover
    assert np.isnan(found.grid).any()


def test_a_face_outside_the_sampled_tiles_is_looked_at_all_the_same() -> None:
    pixels = picture(1024, 1024, lean=-6)
    pixels[600:700, 600:700, 0] = 250
    finder = OneFace((600.0, 600.0, 700.0, 700.0))

    found, _ = examined(MediumOf([pixels]), Lens(CALIBRATION, tiles_per_image=1, faces=finder))

    assert found.tiles == 2
    assert found.faces[0].box == (600, 600, 700, 700)
    assert found.faces[0].logit is not None
    assert found.faces[0].logit > 0 > found.whole


def test_a_video_shows_the_frame_that_reads_most_as_fake() -> None:
    leans = [-6, -6, 5, -6]
    pictures = [picture(64, 64, lean=lean, seed=i) for i, lean in enumerate(leans)]
    heard = []

    found, _ = examined(
        MediumOf(pictures, kind="video"), Lens(CALIBRATION, preview=True), lambda *news: heard.append(news)
    )

    assert found.shown == 2
    assert [frame.time_seconds for frame in found.frames] == [0.0, 0.5, 1.0, 1.5]
    assert [frame.logit > 0 for frame in found.frames] == [False, False, True, False]
    assert (found.preview == pictures[2]).all()
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.spread > 0  # the frames disagree


def test_previews_are_small_copies() -> None:
    pixels = picture(512, 2048, lean=-6)

    found, _ = examined(MediumOf([pixels]), Lens(CALIBRATION, preview=True))

    assert found.preview is not None
    assert found.preview.shape == (256, 1024, 3)


def test_a_medium_without_a_picture_is_damaged() -> None:
    with pytest.raises(DamagedMedia, match="No picture"):
        next(examine(MediumOf([]), Lens(CALIBRATION)))


def test_a_picture_of_one_pixel_is_refused_not_judged() -> None:
    with pytest.raises(TooSmall, match="1 x 1"):
        next(examine(MediumOf([picture(1, 1, lean=0)]), Lens(CALIBRATION)))


def test_flat_colour_is_told_from_a_photograph(make_photo: object) -> None:
    drawing = np.full((200, 200, 3), 255, np.uint8)
    drawing[50:150, 50:150] = (200, 30, 30)

    assert flat_share(drawing) > 0.9
    assert flat_share(make_photo(200, 200, 1)) < 0.05
    assert flat_share(drawing[:1, :1]) == 0.0


def test_the_logit_of_a_picture_alone_is_that_of_the_examination() -> None:
    pixels = picture(300, 400, lean=2)

    found, _ = examined(MediumOf([pixels]))

    seen = judge_picture(pixels, colour, tiles=64, part_margin=CALIBRATION.part_margin)

    assert seen.logit == found.logit
    assert np.array_equal(seen.grid, found.grid)


def test_the_tiles_that_look_forged_tell_who_made_the_picture() -> None:
    left = picture(512, 256, lean=8)
    pixels = np.concatenate([left, picture(512, 256, lean=-8)], 1)

    def detect(tiles: Pixels) -> Scores:
        found = colour(tiles)
        return found._replace(families=np.where(found.logits[:, None] > 0, [[0.0, 3.0]], [[9.0, 0.0]]))

    assert examined(MediumOf([pixels]), detect=detect)[0].families == pytest.approx([0.0, 3.0], abs=0.1)
    assert examined(MediumOf([pixels]))[0].families is None
