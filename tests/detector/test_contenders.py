"""Contenders differ from our training in what they are named after, and in nothing else."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from detector.contenders import CONTENDERS, OURS, folds, load_contender, training_of
from detector.entries import Entry
from detector.model import FakeDetector, save
from detector.treatments import TREATMENTS
from generators.training.checkpoint import differences

MODEL = {f"model.{part}" for part in ("idea", "patches")}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("no alignment", {"pairs.aligned"}),
        ("no alignment, formats as usual", {"pairs.aligned", "pairs.formats_alike"}),
        ("no hard reals", {"pairs.left_out_treatments", "pairs.corruption.weights"}),
        ("no stems", MODEL),
        ("no masks", {"pairs.partial", "pairs.blended", "cell_weight"}),
        ("nothing hidden", {"patch_dropout", "frequency_dropout"}),
        ("npr", {*MODEL, "model.half"}),
    ],
)
def test_a_contender_differs_from_ours_in_its_part_alone(name: str, fields: set[str]) -> None:
    ours, theirs = (asdict(training_of(each, left_out=("vq",), crops=960)) for each in (OURS, name))

    assert {line.partition(":")[0] for line in differences(ours, theirs)} == fields


def test_without_hard_reals_no_treatment_and_only_delivery_is_left() -> None:
    pairs = training_of("no hard reals").pairs

    assert set(pairs.left_out_treatments) == set(TREATMENTS)
    assert {name for name, _ in pairs.corruption.weights} == {"jpeg", "resize", "webp", "video", "avif"}


def test_every_family_that_a_generator_made_is_left_out_in_one_fold() -> None:
    kinds = {"haar": "reconstruction", "vq": "reconstruction", "dcgan": "sample", "wgan": "sample"}
    made = [
        Entry(Path(name), name, "fake", family=name, kind=kind)
        for name, kind in {**kinds, "splice": "splice"}.items()
    ]

    found = folds([*made, *made, Entry(Path("real"), "real", "real")], 2)

    assert found == [("haar", "dcgan"), ("vq", "wgan")]


@pytest.mark.parametrize("name", sorted(CONTENDERS))
def test_a_contender_is_read_back_from_its_file(name: str, tmp_path: Path) -> None:
    net = FakeDetector(replace(training_of(name).model, families=("haar", "vq"))).eval()
    save(net, tmp_path / "detector.pt")

    read = load_contender(tmp_path / "detector.pt")

    pixels = torch.randint(0, 256, (2, 64, 72, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(read(pixels), net(pixels), strict=True))
    assert json.dumps(read.config.to_dict()) == json.dumps(net.config.to_dict())
