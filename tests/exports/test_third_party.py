"""A third-party detector joins by a TOML: its preprocessing and its labels become ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evidence.errors import ModelError, ModelTampered
from exports.registry import ModelEntry, registry
from exports.runtime import open_detector
from exports.third_party import ForeignInterface

MakeModel = Callable[..., Path]


def _describe(model: Path, text: str) -> ModelEntry:
    model.with_suffix(".toml").write_text(text)
    return ModelEntry.from_file(model)


def _grey(level: int, count: int = 3) -> np.ndarray:
    return np.full((count, 64, 64, 3), level, np.uint8)


def test_the_direction_of_the_label_is_turned_so_that_high_is_fake(sum_detector: MakeModel) -> None:
    high = open_detector(_describe(sum_detector(), "[input]\nsize = [4, 4]"))
    low = open_detector(_describe(sum_detector(), '[input]\nsize = [4, 4]\n[output]\nfake_is = "low"'))
    logits, maps = high.run(_grey(51))  # 51 / 255 = 0.2
    assert logits == pytest.approx([0.2] * 3)
    assert low.run(_grey(51))[0] == pytest.approx([-0.2] * 3)
    assert maps.shape == (3, 8, 8)
    assert maps == pytest.approx(0.2)


def test_the_column_of_the_fake_class_is_read(sum_detector: MakeModel) -> None:
    session = open_detector(_describe(sum_detector(), "[input]\nsize = [4, 4]\n[output]\nindex = 1"))
    assert session.run(_grey(51))[0] == pytest.approx([-0.2] * 3)


def test_a_graph_with_a_fixed_batch_is_filled_up_and_cut_back(sum_detector: MakeModel) -> None:
    session = open_detector(_describe(sum_detector(2), "[input]\nsize = [4, 4]"))
    tiles = np.concatenate([_grey(0, 1), _grey(51, 1), _grey(255, 1)])
    assert session.run(tiles)[0] == pytest.approx([0.0, 0.2, 1.0])


def test_a_detector_in_the_users_folder_is_listed_with_its_words(
    sum_detector: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = sum_detector()
    _describe(model, 'name = "theirs"\nversion = "1.2"\nlicence = "MIT"')
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(model.parent))
    entry = registry().get("theirs")
    assert (entry.label, entry.licence, entry.kind) == ("theirs@1.2", "MIT", "detector")


def test_a_sum_in_the_description_pins_the_file(sum_detector: MakeModel) -> None:
    entry = _describe(sum_detector(), f'sha256 = "{"0" * 64}"\n[input]\nsize = [4, 4]')
    with pytest.raises(ModelTampered):
        open_detector(entry)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[input]\nlayout = "NCWH"', "layout is 'NCWH'"),
        ("[input]\ncolour = 1", "unknown fields"),
        ("[input]\nmean = [0.5]", "three numbers"),
        ("[input]\nsize = [224]", "height and a width"),
        ("[input", "does not describe"),
        ("[output]\nindex = 'one'\nvalues = 3", "values is 3"),
    ],
)
def test_a_wrong_description_says_what_is_wrong(sum_detector: MakeModel, text: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        _describe(sum_detector(), text)


def test_a_description_that_names_other_inputs_is_refused(sum_detector: MakeModel) -> None:
    entry = _describe(sum_detector(), '[input]\nname = "image"')
    with pytest.raises(ModelError, match="'image'"):
        open_detector(entry)


def test_a_column_that_is_not_there_is_refused(sum_detector: MakeModel) -> None:
    session = open_detector(_describe(sum_detector(), "[input]\nsize = [4, 4]\n[output]\nindex = 2"))
    with pytest.raises(ModelError, match="2 values"):
        session.run(_grey(1))


def test_pixels_enter_in_the_layout_order_and_range_that_was_described() -> None:
    tile = np.zeros((1, 8, 8, 3), np.uint8)
    tile[..., 0] = 255  # red
    blue_first = ForeignInterface(channels="BGR", mean=(0.5,) * 3, std=(0.5,) * 3).prepare(tile)
    assert blue_first.shape == (1, 3, 8, 8)
    assert blue_first[0, :, 0, 0].tolist() == [-1.0, -1.0, 1.0]
    assert ForeignInterface(layout="NHWC", scale=1.0).prepare(tile)[0, 0, 0].tolist() == [255.0, 0.0, 0.0]


def test_a_crop_keeps_native_pixels_and_mirrors_what_is_missing() -> None:
    tile = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1).repeat(3, axis=3)
    cut = ForeignInterface(size=(2, 2), scale=1.0).prepare(tile)[0, 0]
    assert cut.tolist() == [[5, 6], [9, 10]]
    grown = ForeignInterface(size=(6, 4), scale=1.0).prepare(tile)[0, 0]
    assert grown[0].tolist() == grown[1].tolist() == [0, 1, 2, 3]


def test_probabilities_and_classes_become_logits() -> None:
    answer = np.array([[0.25, 0.75], [1.0, 0.0]])
    assert ForeignInterface(values="probability", index=1).logits(answer, 2) == pytest.approx(
        [np.log(3.0), np.log(1e-6 / (1 - 1e-6))]
    )
    classes = ForeignInterface(values="classes", index=1).logits(np.array([[1.0, 3.0, 1.0]]), 1)
    share = np.exp(3.0) / (np.exp(3.0) + 2 * np.exp(1.0))
    assert classes == pytest.approx([np.log(share / (1 - share))], rel=1e-6)
