"""What is remembered of pictures and videos, and what of it survives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from evidence.medium import Frame, MediaInfo, Pixels
from provenance.pdq import RADIUS, distance
from provenance.perceptual import Fingerprint, Sketch, film, fingerprint, key_frames
from tests.conftest import MakePhoto


def nearest(one: Fingerprint, other: Fingerprint) -> int:
    return min(distance(a.hash, b.hash) for a in one.marks for b in other.marks)


def test_a_picture_has_its_own_hash_and_those_of_windows(make_photo: MakePhoto) -> None:
    marks = fingerprint(make_photo(384, 512, 1)).marks
    assert [mark.part for mark in marks[:2]] == [False, True]
    assert len(marks[0].turned) == 7
    assert all(mark.seconds is None for mark in marks)


@pytest.mark.parametrize("place", [(0, 0), (0.04, 0.07), (0.1, 0.1)])
def test_a_crop_shares_a_window_with_its_original(make_photo: MakePhoto, place: tuple[float, float]) -> None:
    whole = make_photo(384, 512, 1)
    top, left = round(384 * place[0]), round(512 * place[1])
    crop = np.ascontiguousarray(whole[top : top + 345, left : left + 460])
    assert distance(fingerprint(whole).marks[0].hash, fingerprint(crop).marks[0].hash) > RADIUS
    assert nearest(fingerprint(whole), fingerprint(crop)) <= RADIUS


def test_a_picture_in_another_size_and_quality_has_the_same_hash(make_photo: MakePhoto) -> None:
    whole = make_photo(384, 512, 1)
    small = cv2.resize(whole, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    _, written = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 40])
    read = np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)
    assert distance(fingerprint(whole).marks[0].hash, fingerprint(read).marks[0].hash) <= RADIUS


def test_other_pictures_are_far_away(make_photo: MakePhoto) -> None:
    assert nearest(fingerprint(make_photo(384, 512, 1)), fingerprint(make_photo(384, 512, 2))) > RADIUS


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (200, 300)])
def test_a_picture_with_nothing_in_it_has_no_marks(size: tuple[int, int]) -> None:
    assert fingerprint(np.full((*size, 3), 200, np.uint8)) == Fingerprint()


def test_a_still_stretch_of_a_video_is_one_key_frame(make_photo: MakePhoto) -> None:
    scenes = [make_photo(96, 128, seed) for seed in (1, 2, 1)]
    marks = film([scene for scene in scenes for _ in range(5)], per_second=2.0).marks
    assert [mark.seconds for mark in marks] == [0.0, 2.5, 5.0]
    assert marks[0].hash == marks[2].hash


def test_dark_frames_are_no_key_frames(make_photo: MakePhoto) -> None:
    black: Pixels = np.zeros((96, 128, 3), np.uint8)
    marks = film([black, make_photo(96, 128, 1), black], per_second=1.0).marks
    assert [mark.seconds for mark in marks] == [1.0]


def test_key_frames_of_parts_are_those_of_the_whole(make_photo: MakePhoto) -> None:
    frames = [Frame(make_photo(96, 128, seed), at, at / 2) for at, seed in enumerate((1, 1, 2, 2, 3, 3))]
    info = MediaInfo("a.mp4", "", "video", "video/mp4", 0, 128, 96)
    whole, first, second = Sketch(info), Sketch(info), Sketch(info)
    for at, frame in enumerate(frames):
        whole.add(frame)
        (first if at < 3 else second).add(frame)
    assert key_frames(first.fingerprint.marks + second.fingerprint.marks) == whole.fingerprint.marks
