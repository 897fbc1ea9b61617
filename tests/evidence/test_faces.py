"""Faces are found by a plug-in, in pixels of the picture; without one there are none."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from evidence import faces
from evidence.errors import ModelError, ModelNotFound
from evidence.faces import FaceFinder, find_face_model
from evidence.image import decode_image
from evidence.medium import Pixels


@pytest.fixture(scope="module")
def finder(shared_data: Path) -> FaceFinder:
    return FaceFinder(shared_data / "weights" / "face_detection_yunet_2026may.onnx")


@pytest.fixture(scope="module")
def portrait(shared_data: Path) -> tuple[Pixels, list[float]]:
    """One LFW picture of a frontal face, and its measured box."""
    with tarfile.open(shared_data / "faces" / "faces-lfw-0000.tar") as tar:
        index = tar.extractfile("index.jsonl")
        assert index is not None
        rows = (json.loads(line) for line in index)
        row = next(row for row in rows if row["faces"] == 1 and abs(row["yaw"]) < 8)
        file = tar.extractfile(row["file"])
        assert file is not None
        return decode_image(io.BytesIO(file.read()).getvalue())[1], row["box"]


def test_without_a_model_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TOUCHSTONE_FACE_MODEL", raising=False)
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path))

    assert find_face_model() is None


def test_the_setting_comes_before_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fetched, named = tmp_path / "face_detection_yunet.onnx", tmp_path / "mine.onnx"
    fetched.touch()
    named.touch()
    monkeypatch.delenv("TOUCHSTONE_FACE_MODEL", raising=False)

    assert find_face_model(tmp_path) == fetched
    monkeypatch.setenv("TOUCHSTONE_FACE_MODEL", str(named))
    assert find_face_model(tmp_path) == named
    monkeypatch.setenv("TOUCHSTONE_FACE_MODEL", str(tmp_path / "gone.onnx"))
    with pytest.raises(ModelNotFound, match=r"gone\.onnx"):
        find_face_model(tmp_path)


def test_a_file_that_is_no_face_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no graph")

    with pytest.raises(ModelError, match="no face detector"):
        FaceFinder(tmp_path / "text.onnx")
    with pytest.raises(ModelNotFound):
        FaceFinder(tmp_path / "gone.onnx")


@pytest.mark.data
def test_a_face_is_found_where_it_is(finder: FaceFinder, portrait: tuple[Pixels, list[float]]) -> None:
    pixels, box = portrait

    (face,) = finder.find(pixels)

    # The measured box holds a landmark mesh, YuNet's the head: their middles agree within a fifth of it.
    middle = np.array([face.box[0] + face.box[2], face.box[1] + face.box[3]]) / 2
    expected = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    assert np.abs(middle - expected).max() < 0.2 * (box[2] - box[0])
    left_eye, right_eye, nose, *_ = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert face.score > 0.8


@pytest.mark.data
def test_boxes_in_a_large_picture_are_in_its_own_pixels(
    finder: FaceFinder, portrait: tuple[Pixels, list[float]]
) -> None:
    pixels, _ = portrait
    large = cv2.resize(pixels, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    (small_face,), (large_face,) = finder.find(pixels), finder.find(large)

    assert max(large.shape) > faces.MAX_SIDE
    # The searched copy is 2.6 times the small picture: the boxes agree within a tenth of the face.
    side = 6 * (small_face.box[2] - small_face.box[0])
    assert np.abs(np.array(large_face.box) - 6 * np.array(small_face.box)).max() < 0.1 * side


@pytest.mark.data
def test_pictures_without_faces_and_of_any_shape_give_an_empty_list(
    finder: FaceFinder, photo: Pixels
) -> None:
    assert finder.find(photo) == []
    for shape in ((1, 1, 3), (1, 900, 3), (700, 2, 3)):
        assert finder.find(np.full(shape, 90, np.uint8)) == []
