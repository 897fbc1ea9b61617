"""Face benchmarks by their listings and names: labels by name, groups by person, masks beside frames."""

import json
from pathlib import Path
from typing import Any

import pytest

from detector.readers import read
from evidence.errors import DataError
from tests.detector.test_layouts import lay


def listing(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def frames(folder: str, *numbers: int) -> list[str]:
    return [f"{folder}/{number}.png" for number in numbers]


def test_deepfakebench_is_read_from_its_json(tmp_path: Path) -> None:
    real = "FaceForensics++/original_sequences/youtube/c23/frames/000"
    fake = "FaceForensics++\\manipulated_sequences\\Deepfakes\\c23\\frames\\000_003"
    made = "FaceForensics++/manipulated_sequences/Deepfakes/c23"
    lay(tmp_path / "rgb", *frames(real, 2, 10), f"{made}/frames/000_003/001.png")
    lay(tmp_path / "rgb", f"{made}/masks/000_003/001.png")
    path = listing(
        tmp_path / "dataset_json/FaceForensics++.json",
        {
            "FaceForensics++": {
                "FF-real": {"test": {"c23": {"000": {"label": "FF-real", "frames": frames(real, 10, 2)}}}},
                "FF-DF": {"test": {"c23": {"000_003": {"label": "FF-DF", "frames": [f"{fake}\\001.png"]}}}},
            }
        },
    )

    first, second, forged = read(path)

    assert [entry.path.name for entry in (first, second)] == ["2.png", "10.png"]  # by number, not as text
    assert first.path == tmp_path / "rgb" / real / "2.png"
    assert (first.label, first.split, first.group) == ("real", "test", "000")
    assert first.video == second.video != forged.video
    assert (forged.label, forged.generator, forged.group) == ("fake", "FF-DF", "000")
    assert forged.path.is_file()
    assert forged.mask == tmp_path / "rgb" / made / "masks/000_003/001.png"


def test_a_listing_without_compression_and_the_reals_by_every_name(tmp_path: Path) -> None:
    names = ("CelebDFv2_real", "DFDC_Real", "DFD_real", "CelebDFv2_fake", "DFDC_Fake")
    content = {"X": {name: {"test": {"v": {"label": name, "frames": ["f/1.png"]}}} for name in names}}
    listing(tmp_path / "X.json", content)

    assert [entry.label for entry in read(tmp_path)] == ["real", "real", "real", "fake", "fake"]


def test_a_listing_of_another_shape_is_refused_with_the_shape(tmp_path: Path) -> None:
    path = listing(tmp_path / "X.json", {"X": {"FF-real": {"test": {"v": {"label": "FF-real"}}}}})

    with pytest.raises(DataError, match="lists no frames"):
        read(path)


def test_faceforensics_is_read_from_its_folders(tmp_path: Path) -> None:
    lay(
        tmp_path,
        "original_sequences/youtube/c23/videos/000.mp4",
        "original_sequences/youtube/c23/videos/003.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/003_000.mp4",
        "manipulated_sequences/Deepfakes/masks/videos/003_000.mp4",
        "manipulated_sequences/NeuralTextures/c40/videos/000_003.mp4",
    )
    listing(tmp_path / "test.json", [["000", "003"]])

    entries = read(tmp_path, split="test")

    assert [(entry.label, entry.generator, entry.pool) for entry in entries] == [
        ("real", "", "c23"),
        ("real", "", "c23"),
        ("fake", "Deepfakes/c23", "c23"),
        ("fake", "NeuralTextures/c40", "c40"),
    ]
    assert {entry.group for entry in entries} == {"000_003"}  # two persons whose faces were swapped


def test_celeb_df_is_labelled_by_folder_and_chosen_by_its_list(tmp_path: Path) -> None:
    lay(
        tmp_path,
        "Celeb-real/id0_0000.mp4",
        "Celeb-real/id1_0000.mp4",
        "YouTube-real/00001.mp4",
        "Celeb-synthesis/id0_id1_0000.mp4",
    )
    # In this list 1 marks the reals: who read it as a label would turn them round.
    (tmp_path / "List_of_testing_videos.txt").write_text(
        "1 Celeb-real/id0_0000.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n"
    )

    found = {entry.key: (entry.label, entry.group) for entry in read(tmp_path, split="test")}

    assert found == {
        "Celeb-real/id0_0000.mp4": ("real", "id0"),
        "Celeb-synthesis/id0_id1_0000.mp4": ("fake", "id0"),
    }
    assert {entry.path.name for entry in read(tmp_path, split="train")} == {"id1_0000.mp4", "00001.mp4"}


def test_dfdc_ties_a_fake_to_its_original(tmp_path: Path) -> None:
    listing(
        tmp_path / "dfdc_train_part_0/metadata.json",
        {
            "a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"},
            "b.mp4": {"label": "REAL", "split": "train"},
        },
    )

    fake, real = read(tmp_path)

    assert (fake.label, fake.group, fake.twin_of) == ("fake", "b", "dfdc_train_part_0/b.mp4")
    assert (real.label, real.group, real.key) == ("real", "b", "dfdc_train_part_0/b.mp4")
