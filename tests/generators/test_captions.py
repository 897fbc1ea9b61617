"""Captions: words by number, what a draw holds, what is refused and in which words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from evidence.errors import DataError
from generators.data.captions import Captioned, CaptionSet, open_set
from generators.text.meaning import Meaning, classes_of
from generators.text.vocabulary import classes, mirrored, split, tokenise, vocabulary

SHAPE = (3, 16, 16)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _picture(folder: Path, name: str, seed: int = 0) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8)
    cv2.imwrite(str(folder / name), pixels)


def _folder(folder: Path, lines: list[object]) -> Path:
    for n, name in enumerate(("a.png", "b.png")):
        _picture(folder, name, n)
    (folder / "captions.jsonl").write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    return folder


def _sides() -> CaptionSet:
    """Pictures that are dark on the side their one caption names."""
    pixels = np.full((2, 8, 8, 3), 255, np.uint8)
    pixels[0, :, :4], pixels[1, :, 4:] = 0, 0
    said = ("dark to the left", "dark to the right")
    return CaptionSet([Captioned(*pair) for pair in zip(pixels, ([text] for text in said), strict=True)])


def test_words_come_by_how_often_they_are_used_after_the_end_and_the_unknown() -> None:
    assert vocabulary(["A dog, a cat.", "the dog"]) == ("", "?", "a", "dog", "cat", "the")


def test_the_words_of_a_mirror_image_are_known_too() -> None:
    assert vocabulary(["looking left"]) == ("", "?", "left", "looking", "right")
    assert mirrored("Looking to the LEFT, right hand up") == "looking to the right left hand up"


def test_a_caption_is_cut_or_filled_and_unknown_words_are_one() -> None:
    words = ("", "?", "a", "dog")
    assert tokenise("A dog runs", words, 5) == [2, 3, 1, 0, 0]
    assert tokenise("A dog runs", words, 2) == [2, 3]
    assert tokenise("", words, 2) == [0, 0]


def test_case_and_punctuation_are_dropped_and_an_apostrophe_inside_a_word_stays() -> None:
    assert split("The dog's tail - it's WAGGING!") == ["the", "dog's", "tail", "it's", "wagging"]


def test_classes_are_what_all_captions_of_some_pictures_say_and_not_of_all() -> None:
    smiling = ["a face, smiling", "smiling face"]
    grave = ["a grave face", "the face is grave"]
    assert classes([smiling] * 10 + [grave] * 10) == ("grave", "smiling")
    assert classes([smiling] * 10 + [grave] * 9) == ("smiling",)  # too few to learn from


def test_words_stand_in_where_captions_agree_on_nothing() -> None:
    data = _sides()
    assert data.names["classes"] == ()
    assert classes_of(data) == data.names["words"][2:]


def test_the_vocabulary_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import generators.text.vocabulary"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_mirrored_picture_has_its_caption_mirrored() -> None:
    data = _sides()
    left, right = (data.names["words"].index(word) for word in ("left", "right"))
    batch = data.draw(64, _rng())
    dark_left = batch.images[:, 0, 0, 0] < 0
    says_left = (batch.extra["tokens"] == left).any(1)
    assert torch.equal(dark_left, says_left)
    assert torch.equal(~dark_left, (batch.extra["tokens"] == right).any(1))
    assert 0 < says_left.sum() < 64


def test_every_caption_of_a_picture_is_drawn(tmp_path: Path) -> None:
    rows = [{"file": "a.png", "captions": ["one", "two", "three"]}, {"file": "b.png", "captions": ["four"]}]
    data = open_set(str(_folder(tmp_path, rows)), SHAPE, split="train")
    batch = data.draw(200, _rng())
    firsts = {data.names["words"][number] for number in batch.extra["tokens"][:, 0].tolist()}
    assert firsts == {"one", "two", "three", "four"}
    assert batch.images.shape == (200, *SHAPE)
    # A caption goes with its own picture, whichever of them is drawn.
    four = batch.extra["tokens"][:, 0] == data.names["words"].index("four")
    assert len(torch.unique(batch.images[four].sum((1, 2, 3)).round())) == 1


def test_captions_may_be_lines_of_a_text_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        _picture(tmp_path, name)
    (tmp_path / "captions.txt").write_text("a.png#0\tA dog\na.png#1\tThe dog\nb.png\tA cat\n", "utf-8")
    data = open_set(str(tmp_path), SHAPE, split="train")
    assert data.counts.tolist() == [2, 1]
    assert "cat" in data.names["words"]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (
            [{"file": "a.png", "captions": ["x"]}, {"file": "c.png", "captions": ["y"]}],
            "'c.png', which is not there",
        ),
        ([{"file": "a.png", "captions": ["x"]}, {"file": "b.png", "captions": []}], "no caption for 'b.png'"),
        (
            [{"file": "a.png", "captions": ["x"]}, {"file": "b.png", "captions": ["..."]}],
            "no caption for 'b.png'",
        ),
        ([{"file": "a.png", "captions": ["x"]}, {"file": "b.png"}], "Line 2"),
        ([{"file": "a.png", "captions": ["x"]}, "b.png"], "Line 2"),
        ([{"file": "a.png", "captions": ["x"]}], "There is 1 picture with a caption"),
    ],
)
def test_a_folder_whose_captions_do_not_fit_says_what_was_found(
    tmp_path: Path, rows: list[object], found: str
) -> None:
    with pytest.raises(DataError, match=found):
        open_set(str(_folder(tmp_path, rows)), SHAPE, split="train")


def test_a_folder_without_captions_and_a_name_that_is_nothing_are_refused(tmp_path: Path) -> None:
    _picture(tmp_path, "a.png")
    with pytest.raises(DataError, match=r"no captions\.jsonl"):
        open_set(str(tmp_path), SHAPE, split="train")
    with pytest.raises(DataError, match="neither a folder nor a set with captions"):
        open_set("photos", SHAPE, split="train")


def test_two_captions_mean_the_same_when_they_name_the_same_classes() -> None:
    words = ("", "?", "a", "smiling", "open")
    meaning = Meaning(words, ("smiling", "open"))
    tokens = torch.tensor([[2, 3, 0], [3, 3, 2], [3, 4, 0]])
    assert meaning(tokens).tolist() == [[1, 0], [1, 0], [1, 1]]
    assert meaning.same(tokens).tolist() == [[True, True, False], [True, True, False], [False, False, True]]


@pytest.mark.data
def test_held_out_faces_are_none_of_those_learned_from_and_share_their_words() -> None:
    held_out = open_set("faces-celeba", SHAPE, split="test")
    training = held_out.reference
    assert (len(training), len(held_out)) == (3949, 493)
    assert held_out.names == training.names
    assert {"smiling", "left", "right"} <= set(training.names["words"])
    assert {"left", "right", "open", "not"} <= set(training.names["classes"])
    assert "photo" not in training.names["classes"]  # half of the captions say it, of every face
