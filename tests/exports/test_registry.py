"""The registry gives models out by name and refuses files that are not what was published."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from evidence.errors import ModelError, ModelNotFound, ModelTampered
from exports.registry import SHIPPED, ModelEntry, Registry, registry


@pytest.fixture
def folder(tmp_path: Path, brightness_detector: Path) -> Path:
    """A model folder that holds one detector file and no index."""
    shutil.copy(brightness_detector, tmp_path / "b.onnx")
    return tmp_path


def test_a_published_model_is_found_by_name_and_by_version(folder: Path) -> None:
    entry = replace(ModelEntry.from_file(folder / "b.onnx"), name="b", version="3", default=True)
    Registry([folder]).add(entry)
    again = registry(folder)
    assert again.get("b") == again.get("b@3") == again.default("detector") == entry


def test_the_newest_version_of_a_name_answers(folder: Path) -> None:
    models, entry = Registry([folder]), ModelEntry.from_file(folder / "b.onnx")
    models.add(replace(entry, version="1"))
    models.add(replace(entry, version="2"))
    assert models.get("b").version == "2"
    assert models.get("b@1").version == "1"


def test_publishing_a_version_again_replaces_its_row(folder: Path) -> None:
    models, entry = Registry([folder]), ModelEntry.from_file(folder / "b.onnx")
    models.add(entry)
    models.add(replace(entry, licence="MIT"))
    assert [item.licence for item in models] == ["MIT"]


def test_a_new_default_takes_the_place_of_the_former(folder: Path) -> None:
    models, entry = Registry([folder]), ModelEntry.from_file(folder / "b.onnx")
    models.add(replace(entry, name="old", default=True))
    models.add(replace(entry, name="new", default=True))
    assert models.default("detector").name == "new"
    assert not models.get("old").default


def test_a_changed_file_is_refused_with_both_sums(folder: Path) -> None:
    entry = Registry([folder]).add(ModelEntry.from_file(folder / "b.onnx"))
    with (folder / "b.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelTampered) as caught:
        registry(folder).verify("b")
    assert entry.sha256 in caught.value.message
    assert caught.value.message.count("sha256") == 1
    assert "restore" in caught.value.advice


def test_a_missing_file_is_said_to_be_missing(folder: Path) -> None:
    Registry([folder]).add(ModelEntry.from_file(folder / "b.onnx"))
    (folder / "b.onnx").unlink()
    with pytest.raises(ModelNotFound, match="No such file"):
        registry(folder).verify("b")


def test_an_unknown_name_is_answered_with_the_known_ones(folder: Path) -> None:
    models = Registry([folder])
    models.add(ModelEntry.from_file(folder / "b.onnx"))
    with pytest.raises(ModelNotFound, match="b@0"):
        models.get("c")
    with pytest.raises(ModelNotFound, match="default"):
        models.default("detector")


def test_a_system_stands_for_its_model_where_there_is_but_one(folder: Path) -> None:
    models, entry = Registry([folder]), ModelEntry.from_file(folder / "b.onnx")
    faces = replace(entry, name="dcgan-faces", tags={"system": "dcgan"})
    models.add(faces)
    models.add(entry)
    newest = models.add(replace(faces, version="2"))
    assert models.get("dcgan") == newest
    models.add(replace(faces, name="dcgan-cats"))
    with pytest.raises(ModelNotFound, match=r"of 'dcgan'; there are: .*dcgan-cats@0") as said:
        models.get("dcgan")
    assert "b@0" not in said.value.message


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema": "other/1", "models": []}',
        '{"schema": "touchstone.models/1", "models": [{"name": "x"}]}',
    ],
)
def test_a_damaged_index_is_a_model_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "models.json").write_text(text)
    with pytest.raises(ModelError):
        registry(tmp_path)


def test_a_row_cannot_point_out_of_its_folder(folder: Path) -> None:
    row = ModelEntry.from_file(folder / "b.onnx").to_dict() | {"file": "../b.onnx"}
    with pytest.raises(ModelError, match="same folder"):
        ModelEntry.from_dict(row, folder)


def test_the_users_folder_is_read_after_the_shipped_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry([folder]).add(replace(ModelEntry.from_file(folder / "b.onnx"), name="mine", default=True))
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(folder))
    assert registry().default("detector").name == "mine"
    assert registry().folders == (SHIPPED, folder)


def test_a_models_folder_that_is_not_there_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(tmp_path / "none"))
    with pytest.raises(ModelError, match="does not exist"):
        registry()


def test_the_index_is_readable_json_without_places_of_this_machine(folder: Path) -> None:
    Registry([folder]).add(ModelEntry.from_file(folder / "b.onnx"))
    text = (folder / "models.json").read_text()
    assert json.loads(text)["schema"] == "touchstone.models/1"
    assert str(folder) not in text
    assert sorted(path.name for path in folder.iterdir()) == ["b.onnx", "models.json"]


def test_every_shipped_model_has_the_sum_that_was_written_down() -> None:
    for entry in registry(SHIPPED):
        assert len(entry.read()) == entry.size_bytes
