"""A new family is laid beside what is known, delivered alike, and given its share of the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from detector.addition import NEW, add
from detector.corrupt import NONE
from detector.model import PRESETS, FakeDetector, inherit, save
from detector.pairs import PairConfig, Pairs
from detector.readers import read
from evidence.errors import ConfigMismatch, DataError
from evidence.image import decode_image
from tests.detector.pictures import checkered, photograph


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """Forty forgeries of a generator that nobody knows, without their reals, and one genuine picture."""
    folder = tmp_path / "strangers"
    for number in range(40):
        path = folder / "newgan" / "1_fake" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = checkered(photograph(100 + number))[: 120 + number % 20]
        assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 83])
    (folder / "newgan" / "0_real").mkdir()
    assert cv2.imwrite(str(folder / "newgan" / "0_real" / "a.jpg"), photograph(99))
    return folder


def test_forgeries_without_twins_are_laid_beside_genuine_pictures_of_their_split(
    forge: Path, strangers: Path, tmp_path: Path
) -> None:
    found = add(forge, strangers, tmp_path / "out")

    entries = {entry.key: entry for entry in read(found.folder)}
    fakes = [entry for entry in entries.values() if entry.family == "newgan"]
    assert found.families == ("newgan",)
    assert len(fakes) == sum(found.counts.values()) == 40
    for fake in fakes:
        real = entries[fake.twin_of]
        assert (real.label, real.split, real.source) == ("real", fake.split, NEW)
        (a, left), (b, right) = decode_image(fake.path), decode_image(real.path)
        assert left.shape == right.shape
        assert a.jpeg == b.jpeg
        assert a.jpeg is not None
        assert a.jpeg.quality == 83
        assert not np.array_equal(left, right)


def test_what_was_known_is_named_where_it_lies(forge: Path, strangers: Path, tmp_path: Path) -> None:
    found = add(forge, strangers, tmp_path / "out")

    known = {entry.path.resolve() for entry in read(forge)}
    assert known < {entry.path for entry in read(found.folder)}
    assert {entry.twin_of == "" for entry in read(found.folder) if entry.label == "fake"} == {False}


def test_the_same_forgeries_are_laid_out_in_the_same_way(
    forge: Path, strangers: Path, tmp_path: Path
) -> None:
    add(forge, strangers, tmp_path / "out")
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    add(forge, strangers, tmp_path / "out")

    assert {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == first


def test_new_forgeries_get_their_share_of_the_pairs(forge: Path, strangers: Path, tmp_path: Path) -> None:
    found = add(forge, strangers, tmp_path / "out")
    config = PairConfig(
        pairs=100, crop=64, corruption=NONE, ramp_crops=0, partial=0.0, favoured=NEW, favoured_share=0.5
    )

    pairs = Pairs(found.folder, config, seed=0)

    named = pairs.batch(0).families
    share = float((named == pairs.families.index("newgan")).float().mean())
    assert share == pytest.approx(0.5 + 0.5 / 3, abs=0.2)


def test_too_few_and_already_known_forgeries_are_refused(
    forge: Path, strangers: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"checkered, striped already"):
        add(forge, forge, tmp_path / "out")
    for path in sorted((strangers / "newgan" / "1_fake").iterdir())[:20]:
        path.unlink()
    with pytest.raises(DataError, match="holds 20 forgeries"):
        add(forge, strangers, tmp_path / "out")


def test_a_detector_that_learns_on_begins_with_what_its_parent_knew(tmp_path: Path) -> None:
    config = PRESETS["tiny"].to_dict()
    torch.manual_seed(0)
    parent = FakeDetector(type(PRESETS["tiny"]).from_dict({**config, "families": ["haar", "vae"]}))
    torch.nn.init.normal_(parent.heads.family[0].weight)
    save(parent, tmp_path / "detector.pt")
    child = FakeDetector(type(PRESETS["tiny"]).from_dict({**config, "families": ["haar", "new", "vae"]}))

    inherit(child, tmp_path / "detector.pt")

    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    before, after = parent.eval()(pixels), child.eval()(pixels)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert torch.equal(before[2], after[2][:, [0, 2]])
    with pytest.raises(ConfigMismatch, match="built otherwise"):
        inherit(FakeDetector(PRESETS["default"]), tmp_path / "detector.pt")


def test_a_readout_that_is_new_changes_no_answer_and_one_that_is_known_is_taken_over(tmp_path: Path) -> None:
    config = replace(PRESETS["tiny"], families=("haar", "vae"))
    torch.manual_seed(0)
    plain = FakeDetector(config)
    torch.nn.init.normal_(plain.heads.picture[0].weight)
    save(plain, tmp_path / "plain.pt")
    read = FakeDetector(replace(config, hidden=8))
    pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)

    inherit(read, tmp_path / "plain.pt")

    before, after = plain.eval()(pixels), read.eval()(pixels)
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))

    assert read.heads.readout is not None
    torch.nn.init.normal_(read.heads.readout.outer.weight)
    save(read, tmp_path / "read.pt")
    child = FakeDetector(replace(config, hidden=8, families=("haar", "new", "vae")))

    inherit(child, tmp_path / "read.pt")

    before, after = read(pixels), child.eval()(pixels)
    assert not torch.equal(before[0], plain(pixels)[0])
    torch.testing.assert_close(before[0], after[0])
    torch.testing.assert_close(before[2], after[2][:, [0, 2]])
