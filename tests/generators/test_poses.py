"""Faces with a known yaw: which are paired, how often they are drawn, and what is said of bad folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from evidence.errors import DataError
from generators.data.poses import Face, PoseSet, open_set


def _face(yaw: float, person: str = "", level: int = 0) -> Face:
    # The left half is brighter, so that a mirror image shows itself.
    pixels = np.full((4, 4, 3), level, np.uint8)
    pixels[:, :2] += 50
    return Face(pixels, yaw, person)


def _draw(faces: PoseSet, count: int = 200) -> dict[str, torch.Tensor]:
    batch = faces.draw(count, torch.Generator().manual_seed(0))
    return {"images": batch.images} | batch.extra


def test_another_picture_of_the_person_stands_beside_each_and_both_are_mirrored_alike() -> None:
    drawn = _draw(PoseSet([_face(5, "a", 10), _face(30, "a", 90)]))
    assert torch.equal(drawn["identity"], torch.zeros(200, dtype=torch.int64))
    assert set(drawn["yaw"].tolist()) == {5, -5, 30, -30}
    sign = drawn["yaw"].sign()
    assert torch.equal(drawn["turned_yaw"].sign(), sign)
    assert torch.equal(drawn["yaw"].abs() + drawn["turned_yaw"].abs(), torch.full((200,), 35.0))
    left_is_brighter = drawn["images"][:, 0, 0, 0] > drawn["images"][:, 0, 0, 3]
    assert torch.equal(left_is_brighter, sign > 0)


def test_a_person_with_one_picture_stands_beside_its_mirror_image() -> None:
    drawn = _draw(PoseSet([_face(5, "a"), _face(12, "b")]))
    assert torch.equal(drawn["turned"], drawn["images"].flip(-1))
    assert torch.equal(drawn["turned_yaw"], -drawn["yaw"])
    assert torch.equal(drawn["identity"], torch.full((200,), -1))


def test_rare_yaws_are_drawn_more_often_than_their_share() -> None:
    drawn = _draw(PoseSet([_face(0)] * 16 + [_face(40)]), 4000)
    # One in 17 alone; by one over the root of the count its odds are 1 to 4.
    assert float((drawn["yaw"].abs() == 40).float().mean()) == pytest.approx(0.2, abs=0.02)


def test_a_frontal_set_shows_faces_that_look_ahead_beside_turned_ones_of_the_same_person() -> None:
    faces = [_face(2, "a", 10), _face(35, "a", 90), _face(15, "a", 150), _face(-4, "b", 200)]
    drawn = _draw(PoseSet(faces, frontal=True))
    assert set(drawn["yaw"].abs().tolist()) == {2, 4}
    alone = drawn["yaw"].abs() == 4
    assert torch.equal(drawn["turned"][alone], drawn["images"][alone])
    assert set(drawn["turned_yaw"][~alone].abs().tolist()) == {35}
    held_out = _draw(PoseSet(faces, frontal=True, partnered=True))
    assert set(held_out["yaw"].abs().tolist()) == {2}


def test_too_few_faces_and_none_that_looks_ahead_are_named() -> None:
    with pytest.raises(DataError, match="There is 1 face"):
        PoseSet([_face(0)])
    with pytest.raises(DataError, match="looks ahead"):
        PoseSet([_face(30, "a"), _face(40, "a")], frontal=True)


def _folder(at: Path, rows: str, header: str = "file,yaw,person") -> Path:
    for name in ("one.png", "two.png"):
        cv2.imwrite(str(at / name), np.full((20, 30, 3), 90, np.uint8))
    (at / "poses.csv").write_text(f"{header}\n{rows}", "utf-8")
    return at


def test_a_folder_gives_faces_by_its_table(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "one.png,10,a\ntwo.png,-30,a\n")
    faces = open_set(str(folder), (3, 16, 16), split="train")
    assert len(faces) == 2
    assert faces.names["persons"] == ("a",)
    assert faces.draw(3, torch.Generator()).images.shape == (3, 3, 16, 16)
    assert list(faces.sha256) == [tmp_path.name]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("one.png,sideways,a\n", "Line 2 .* gives the yaw 'sideways'"),
        ("one.png,120,a\n", "gives the yaw '120'"),
        ("one.png,1,a\nthree.png,1,a\n", "Line 3 .* names 'three.png'"),
        ("one.png,1,a\n", "There is 1 face"),
    ],
)
def test_a_bad_table_is_named_with_its_line(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_set(str(_folder(tmp_path, rows)), (3, 16, 16), split="train")


def test_a_folder_without_a_table_and_an_unknown_set_say_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no poses\.csv"):
        open_set(str(tmp_path), (3, 16, 16), split="train")
    with pytest.raises(DataError, match="neither a folder nor a set of faces"):
        open_set("faces-nobody", (3, 16, 16), split="train")


def test_the_shared_parts_share_no_person_and_frame_both_sets_alike() -> None:
    parts = {split: open_set("faces-lfw", (3, 16, 16), split=split) for split in ("train", "cal", "test")}
    persons = [set(part.names["persons"]) for part in parts.values()]
    assert not persons[0] & persons[1] | persons[0] & persons[2] | persons[1] & persons[2]
    assert float(parts["cal"].yaw.abs().max()) <= 50
    assert len(open_set("frontal:faces-lfw", (3, 16, 16), split="cal")) < len(parts["cal"])
