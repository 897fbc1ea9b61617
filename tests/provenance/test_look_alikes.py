"""Copies of a picture are named by when they came; others and flat ones are not."""

import cv2
import numpy as np

from provenance.look_alikes import LookAlikes
from tests.detector.pictures import photograph


def test_a_resized_copy_is_named_and_another_picture_is_not() -> None:
    known = LookAlikes()
    first, other = photograph(1, 256, 256), photograph(2, 256, 256)

    assert known.add(np.zeros((64, 64, 3), np.uint8)) == []
    assert known.add(first) == []
    assert known.add(other) == []
    assert known.add(cv2.resize(first, (200, 200), interpolation=cv2.INTER_AREA)) == [1]
    assert known.add(np.zeros((64, 64, 3), np.uint8)) == []
