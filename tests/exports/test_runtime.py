"""Sessions give known answers, say where they run, and refuse models they should not trust."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evidence.errors import ModelError, ModelTampered
from exports import runtime
from exports.registry import ModelEntry
from exports.runtime import DetectorSession, GeneratorSession, available_providers, open_detector


def test_a_detector_answers_logit_and_map_of_known_tiles(brightness_detector: Path) -> None:
    session = open_detector(ModelEntry.from_file(brightness_detector))
    tiles = np.zeros((2, 64, 72, 3), np.uint8)
    tiles[1, :8, :8] = 255
    logits, maps, families = session.run(tiles)
    assert families is None  # it does not tell who made a picture
    assert maps.shape == (2, 8, 9)
    assert maps[1, 0, 0] == pytest.approx(1.0)
    assert maps.sum() == pytest.approx(1.0)
    assert logits == pytest.approx([0.0, 1 / 72])


def test_the_size_of_a_batch_does_not_change_an_answer(
    brightness_detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)
    session = open_detector(ModelEntry.from_file(brightness_detector))
    together = session.run(tiles)
    monkeypatch.setitem(runtime.BATCH_PIXELS, "cpu", 3 * 64 * 64)  # parts of 3, 3 and 1
    apart = session.run(tiles)
    assert np.array_equal(together[0], apart[0])
    assert np.array_equal(together[1], apart[1])


def test_no_tiles_get_no_answers(brightness_detector: Path) -> None:
    nothing = open_detector(ModelEntry.from_file(brightness_detector)).run(np.empty((0, 64, 64, 3), np.uint8))
    assert nothing.logits.shape == (0,)
    assert nothing.maps.shape == (0, 8, 8)


@pytest.mark.parametrize(
    "tiles",
    [
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((1, 64, 60, 3), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 64, 64, 4), np.uint8),
    ],
)
def test_tiles_of_another_kind_are_refused(brightness_detector: Path, tiles: np.ndarray) -> None:
    with pytest.raises(ModelError):
        open_detector(ModelEntry.from_file(brightness_detector)).run(tiles)


def test_a_provider_that_is_not_there_is_replaced_and_the_reason_said(brightness_detector: Path) -> None:
    entry = ModelEntry.from_file(brightness_detector)
    missing = [name for name in ("tensorrt", "cuda") if name not in available_providers()]
    session = open_detector(entry, "tensorrt")
    assert [name in session.fallback_reason for name in missing] == [True] * len(missing)
    assert open_detector(entry, "cpu").fallback_reason == ""
    assert open_detector(entry, "auto").fallback_reason == ""
    assert open_detector(entry, "cpu").provider == "cpu"


def test_threads_follow_the_affinity_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr(runtime, "CGROUP_QUOTA", Path("/nowhere"))
    assert runtime.default_threads() == 3


@pytest.mark.parametrize(("quota", "threads"), [("150000 100000", 2), ("max 100000", 8), ("10000 100000", 1)])
def test_threads_stay_within_the_quota_of_the_control_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, threads: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(runtime.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(runtime, "CGROUP_QUOTA", tmp_path / "cpu.max")
    assert runtime.default_threads() == threads


def test_a_session_takes_the_threads_it_is_given_and_does_not_spin(brightness_detector: Path) -> None:
    session = DetectorSession(ModelEntry.from_file(brightness_detector), "cpu", 3)
    options = session._session.get_session_options()
    assert (session.threads, options.intra_op_num_threads, options.inter_op_num_threads) == (3, 3, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_one_session_serves_many_threads_alike(brightness_detector: Path) -> None:
    session = open_detector(ModelEntry.from_file(brightness_detector), "cpu", 1)
    tiles = np.random.default_rng(1).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    expected, answers = session.run(tiles)[0], []
    workers = [threading.Thread(target=lambda: answers.append(session.run(tiles)[0])) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(answers) == 4
    assert all(np.array_equal(answer, expected) for answer in answers)


def test_a_file_changed_after_publishing_never_reaches_the_runtime(
    brightness_detector: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(brightness_detector.read_bytes())
    entry = ModelEntry.from_file(copy)
    copy.write_bytes(copy.read_bytes() + b"\0")
    with pytest.raises(ModelTampered):
        open_detector(entry)


def test_an_operator_of_a_custom_domain_is_refused(tmp_path: Path) -> None:
    path = _identity(tmp_path, domain="evil.example")
    with pytest.raises(ModelError, match=r"evil\.example::Identity"):
        open_detector(ModelEntry.from_file(path))


def test_a_custom_operator_inside_a_branch_is_found(tmp_path: Path) -> None:
    inner = helper.make_graph(
        [helper.make_node("Steal", [], ["y"], domain="evil.example")],
        "inner",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    path = _save(tmp_path, [branch], [helper.make_tensor_value_info("c", TensorProto.BOOL, [])])
    with pytest.raises(ModelError, match=r"evil\.example::Steal"):
        open_detector(ModelEntry.from_file(path))


def test_weights_kept_in_another_file_are_refused(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.ones(4, np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="/etc/passwd")
    path = _identity(tmp_path, initializers=[weights])
    with pytest.raises(ModelError, match="one file"):
        open_detector(ModelEntry.from_file(path))


@pytest.mark.parametrize("data", [b"", b"\x00" * 40, b"no model at all", b"\x3a\x7f\x01"])
def test_bytes_that_are_no_model_are_a_model_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="no ONNX model"):
        open_detector(ModelEntry.from_file(path))


def test_every_truncation_of_a_model_is_a_model_error(brightness_detector: Path, tmp_path: Path) -> None:
    data, path = brightness_detector.read_bytes(), tmp_path / "cut.onnx"
    for quarter in (1, 2, 3):
        path.write_bytes(data[: len(data) * quarter // 4])
        with pytest.raises(ModelError):
            open_detector(ModelEntry.from_file(path))


def test_a_graph_the_runtime_refuses_is_a_model_error_that_names_the_model(tmp_path: Path) -> None:
    path = _save(tmp_path, [helper.make_node("NoSuchOperator", ["x"], ["y"])], [_floats("x")])
    with pytest.raises(ModelError, match="cannot run model x@0"):
        open_detector(ModelEntry.from_file(path))


def test_a_graph_that_does_not_speak_our_interface_needs_a_description(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="TOML"):
        open_detector(ModelEntry.from_file(_identity(tmp_path)))


def test_a_generator_is_no_detector(latent_generator: Path) -> None:
    with pytest.raises(ModelError, match="is a generator"):
        open_detector(ModelEntry.from_file(latent_generator, "generator"))


def test_a_generator_gives_pictures_and_refuses_wrong_inputs(latent_generator: Path) -> None:
    session = GeneratorSession(ModelEntry.from_file(latent_generator, "generator"))
    pictures = session.run(z=np.full((5, 12), 0.5, np.float32))
    assert pictures.shape == (5, 3, 2, 2)
    assert pictures == pytest.approx(np.tanh(0.5))
    for wrong in ({}, {"y": np.zeros((1, 12), np.float32)}, {"z": np.zeros((1, 11), np.float32)}):
        with pytest.raises(ModelError, match="cannot run"):
            session.run(**wrong)


def test_an_answer_that_is_not_finite_is_an_error_not_a_verdict(latent_generator: Path) -> None:
    session = GeneratorSession(replace(ModelEntry.from_file(latent_generator, "generator")))
    with pytest.raises(ModelError, match="finite"):
        session.run(z=np.full((1, 12), np.nan, np.float32))


def _floats(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [4])


def _identity(folder: Path, domain: str = "", initializers: list[onnx.TensorProto] | None = None) -> Path:
    node = helper.make_node("Identity", ["x"], ["y"], domain=domain)
    return _save(folder, [node], [_floats("x")], initializers)


def _save(
    folder: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    initializers: list[onnx.TensorProto] | None = None,
) -> Path:
    graph = helper.make_graph(nodes, "g", inputs, [_floats("y")], initializers or [])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("evil.example", 1)]
    path = folder / "x.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
    return path
