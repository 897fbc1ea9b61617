"""A third-party detector joins by a TOML: its preprocessing and its labels become ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

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
    logits, maps, _ = high.run(_grey(51))  # 51 / 255 = 0.2
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


def _taking(path: Path, shape: list[int | str], kind: int = TensorProto.FLOAT, more: int = 0) -> Path:
    """A graph that answers the mean of what it takes, whatever that is."""
    axes = numpy_helper.from_array(np.arange(1, len(shape)), "axes")
    nodes = [
        helper.make_node("Cast", ["input"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["score"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("input", kind, shape)]
    inputs += [helper.make_tensor_value_info(f"other{n}", TensorProto.FLOAT, [1]) for n in range(more)]
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])]
    graph = helper.make_graph(nodes, "mean", inputs, outputs, [axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


@pytest.mark.parametrize(
    ("shape", "kind", "said"),
    [
        (["batch", 64], TensorProto.FLOAT, "takes four axes"),
        (["batch", 8, 8, 3], TensorProto.FLOAT, 'Set `layout = "NHWC"`'),
        (["batch", 1, 8, 8], TensorProto.FLOAT, "1 channels. It must take 3"),
        (["batch", 3, 8, 8], TensorProto.FLOAT, r"says no size. Set `size = \[8, 8\]`"),
        (["batch", 3, "h", "w"], TensorProto.DOUBLE, "allowed are tensor"),
    ],
)
def test_a_graph_that_takes_something_else_is_refused_with_the_line_to_write(
    tmp_path: Path, shape: list[int | str], kind: int, said: str
) -> None:
    entry = _describe(_taking(tmp_path / "theirs.onnx", shape, kind), "")

    with pytest.raises(ModelError, match=said) as refused:
        open_detector(entry)

    assert str(tmp_path / "theirs.onnx") in str(refused.value)


def test_a_graph_with_two_inputs_is_refused(tmp_path: Path) -> None:
    entry = _describe(_taking(tmp_path / "theirs.onnx", ["batch", 3, "h", "w"], more=1), "")

    with pytest.raises(ModelError, match="Export it with one input"):
        open_detector(entry)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT16])
def test_a_graph_may_take_other_kinds_of_numbers(tmp_path: Path, kind: int) -> None:
    model = _taking(tmp_path / "theirs.onnx", ["batch", 3, "h", "w"], kind)

    assert open_detector(_describe(model, "[input]\nscale = 1")).run(_grey(51))[0] == pytest.approx(
        [51.0] * 3
    )


def test_logits_that_were_called_probabilities_are_refused() -> None:
    with pytest.raises(ModelError, match=r"answers -2 to 3; its TOML says `probability`"):
        ForeignInterface(values="probability").logits(np.array([[-2.0], [3.0]]), 2)


def test_the_makers_threshold_is_what_evaluate_takes_for_its_word(sum_detector: MakeModel) -> None:
    entry = _describe(sum_detector(), "[output]\nthreshold = 0.7")

    assert entry.calibration is not None
    assert (entry.calibration["fake_at"], entry.calibration["real_below"]) == (0.7, 0.7)
    assert "n" not in entry.calibration  # so that a scan still calls it uncalibrated
    with pytest.raises(ModelError, match="between 0 and 1"):
        _describe(sum_detector(), "[output]\nthreshold = 7")


def test_a_kernel_makes_a_tile_small_as_pillow_does() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    small = ForeignInterface(size=(16, 16), fit="resize", kernel="bicubic", scale=1.0).prepare(tile)

    expected = np.asarray(Image.fromarray(tile[0]).resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(small[0].transpose(1, 2, 0), expected)
