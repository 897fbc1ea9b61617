"""Faces with action units, the regressor that judges them, and GANimation obeying them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from evidence.errors import DataError, UsageError
from generators import catalogue
from generators.data import shards, units
from generators.data.units import UnitSet
from generators.expressions import EXPRESSIONS, REST, intensities, units_of
from generators.metrics import face_regressor
from generators.metrics.face_regressor import FaceRegressor, edit_errors
from generators.systems.ganimation import UNITS, Ganimation
from generators.training.step import Run

RNG = torch.Generator


def _smileys(count: int = 64, size: int = 32) -> UnitSet:
    """Grey squares with a mouth whose brightness is AU12 and eyes whose brightness is AU45."""
    levels = np.random.default_rng(0).random((count, 2), np.float32)
    pictures = np.full((count, size, size, 3), 96, np.uint8)
    pictures[:, size * 5 // 8 : size * 7 // 8, size // 4 : size * 3 // 4] = (
        255 * levels[:, 0, None, None, None]
    ).astype(np.uint8)
    pictures[:, size // 8 : size * 3 // 8, size // 4 : size * 3 // 4] = (
        255 * levels[:, 1, None, None, None]
    ).astype(np.uint8)
    pose = np.zeros((count, 3), np.float32)
    return UnitSet(list(pictures), levels, names=("AU12", "AU45"), pose=pose)


def _folder(folder: Path, table: str, count: int = 2) -> Path:
    for index in range(count):
        Image.new("RGB", (40, 30), (index, 90, 120)).save(folder / f"{index}.png")
    if table:
        (folder / "units.csv").write_text(table)
    return folder


def test_a_folder_gives_faces_with_the_units_of_its_table(tmp_path: Path) -> None:
    data = units.open_set(
        str(_folder(tmp_path, "file,AU12,AU26\n0.png,0.25,1\n1.png,0,0.5\n")), (3, 16, 16), split="train"
    )
    assert data.names["units"] == ("AU12", "AU26")
    assert data.units.tolist() == [[0.25, 1.0], [0.0, 0.5]]
    batch = data.draw(5, RNG().manual_seed(0))
    assert batch.images.shape == (5, 3, 16, 16)
    assert batch.extra["units"].shape == (5, 2)
    assert data.training_part() is data


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("", "no units.csv"),
        ("AU12\n1\n", "has the columns AU12"),
        ("file\n0.png\n", "has the columns file"),
        ("file,AU12\n0.png,1\n", "1 face"),
        ("file,AU12\n", "no face"),
        ("file,AU12\n0.png,3.5\n1.png,0\n", "gives AU12 the value '3.5'"),
        ("file,AU12\n0.png,nan\n1.png,0\n", "gives AU12 the value 'nan'"),
        ("file,AU12\n0.png\n1.png,0\n", "gives AU12 the value None"),
        ("file,AU12\nnone.png,1\n1.png,0\n", "names 'none.png'"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        units.open_set(str(_folder(tmp_path, table)), (3, 16, 16), split="train")


def test_neither_a_folder_nor_a_set_is_named_with_the_known_sets() -> None:
    with pytest.raises(DataError, match="neither a folder nor a set"):
        units.open_set("no-such-faces", (3, 16, 16), split="train")


def test_a_mirrored_face_keeps_its_units_and_turns_yaw_and_roll() -> None:
    data = _smileys()
    data.pose[:] = torch.tensor([20.0, 5.0, -3.0])
    faces, found = face_regressor.changed(data, 40, RNG().manual_seed(0))
    assert faces.shape == (40, 3, 32, 32)
    assert set(map(tuple, found.pose.tolist())) == {(20.0, 5.0, -3.0), (-20.0, 5.0, 3.0)}
    assert all(any(torch.equal(row, known) for known in data.units) for row in found.units)


def test_the_regressor_learns_what_it_is_shown_and_beats_the_constant() -> None:
    data = _smileys()
    judge = face_regressor.train_regressor(data, steps=60, batch=16)
    table = face_regressor.errors(judge, data, data)
    # Uniform values: always saying the median is off by a quarter.
    assert table["AU12"][1] == pytest.approx(0.25, abs=0.05)
    assert table["AU12"][0] < 0.5 * table["AU12"][1]
    assert table["AU45"][0] < 0.5 * table["AU45"][1]
    assert table.keys() == {"AU12", "AU45", "yaw", "pitch", "roll"}


def test_the_regressor_is_trained_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shortly = partial(face_regressor.train_regressor, steps=2, batch=4)
    monkeypatch.setattr(face_regressor, "train_regressor", shortly)
    data = _smileys()
    first = face_regressor.regressor_of(tmp_path, faces=data)
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    second = face_regressor.regressor_of(tmp_path, faces=data)
    assert kept.stat().st_mtime_ns == written
    faces = data.images(torch.arange(4))
    assert torch.equal(first(faces).units, second(faces).units)
    kept.write_bytes(kept.read_bytes()[:100])  # cut short by a full disk: it is trained again
    assert torch.equal(face_regressor.regressor_of(tmp_path, faces=data)(faces).units, first(faces).units)


def test_edits_are_measured_against_what_was_asked_and_what_was_there() -> None:
    class Brightness(FaceRegressor):
        """Reads both units off the mean of the first two channels."""

        def forward(self, faces: torch.Tensor) -> face_regressor.Reading:
            return face_regressor.Reading(faces.mean((2, 3))[:, :2], faces.new_zeros(len(faces), 3))

    def shown(values: torch.Tensor) -> torch.Tensor:
        return torch.cat((values, torch.zeros(len(values), 1)), 1)[:, :, None, None].expand(-1, -1, 4, 4)

    judge = Brightness(("AU12", "AU45"), width=1)
    own = torch.rand(50, 2, generator=RNG().manual_seed(0))
    asked = own.roll(1, 0)
    obeyed = edit_errors(judge, shown(own), shown(asked), own=own, asked=asked)
    assert obeyed["au_error"] == pytest.approx(0, abs=1e-6)
    assert obeyed["moved"] == pytest.approx(1, abs=1e-5)
    half = edit_errors(judge, shown(own), shown((own + asked) / 2), own=own, asked=asked)
    assert half["moved"] == pytest.approx(0.5, abs=1e-5)
    untouched = edit_errors(judge, shown(own), shown(own), own=own, asked=asked)
    assert untouched["au_error"] == untouched["au_error_untouched"]
    assert untouched["moved"] == 0
    assert untouched["au_error_judge"] == pytest.approx(0, abs=1e-6)


class Reader(nn.Module):
    """A critic that reads the units of smileys off them as they were drawn, and judges next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        light = images.mean(1) / 2 + 0.5
        units = torch.stack((light[:, 20:28, 8:24].mean((1, 2)), light[:, 4:12, 8:24].mean((1, 2))), 1)
        return self.weight * light, units


def test_the_editor_learns_to_give_each_unit_its_value() -> None:
    data = _smileys()
    model = _tiny(data)
    model.discriminator = Reader()
    run = Run(model, data, seed=0, device=torch.device("cpu"))
    losses = [run.advance()["units_of_fakes"] for _ in range(60)]
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_the_quick_editor_begins_with_the_face_it_is_given() -> None:
    data = _smileys()
    model = _tiny(data).eval()
    batch = data.draw(4, RNG().manual_seed(0))
    edited = model.generator(batch.images, batch.extra["units"].flip(0))
    # Far less than the grey levels of an edit, yet not nothing, or there would be no gradient.
    assert 0 < (edited - batch.images).abs().mean() < 0.02


def test_a_doubting_critic_reads_edited_faces_as_their_sources() -> None:
    data = _smileys()
    model = _tiny(data).train()
    batch = data.draw(4, RNG().manual_seed(0))
    nn.init.zeros_(model.generator.colour.weight)  # edits change nothing: both readings are alike
    nn.init.normal_(model.discriminator.get_parameter("units.weight"))
    loss = model.discriminator_loss(batch, RNG().manual_seed(0))
    read = float(loss.parts["units_of_reals"].detach())
    assert read > 0
    # The critic's two means cancel; 160 for the units, and 0.3 of that for the doubt.
    assert float(loss.total.detach()) == pytest.approx(160 * 1.3 * read, rel=1e-4)


def test_edited_faces_take_the_units_of_the_face_before() -> None:
    data = _smileys()
    model = _tiny(data).eval()
    batch = data.draw(4, RNG().manual_seed(0))
    wanted = batch.extra["units"][[3, 0, 1, 2]]
    found = model.sample(batch, 4, RNG())
    assert torch.equal(found, model.generator(batch.images, wanted))
    with pytest.raises(UsageError, match="there are none"):
        model.sample(None, 4, RNG())


def _tiny(data: UnitSet) -> Ganimation:
    preset = catalogue.preset(
        "ganimation",
        "smoke",
        quick=True,
        width=8,
        discriminator_width=8,
        mask_weight=0.0,
        cycle_weight=3.0,
        doubt=0.3,
        units=data.names["units"],
        batch=16,
        total_images=1_000_000,
        generator_lr=2e-3,
        discriminator_lr=1e-3,
        penalty="none",
        discriminator_steps=1,
    )
    model = catalogue.build("ganimation", preset.config, preset.optimisation)
    assert isinstance(model, Ganimation)
    return model


@pytest.mark.parametrize("name", list(EXPRESSIONS))
def test_an_expression_gives_every_unit_of_the_model_a_value(name: str) -> None:
    values = dict(zip(UNITS, units_of(name, UNITS), strict=True))
    assert all(0 <= value <= 1 for value in values.values())
    assert values == dict.fromkeys(UNITS, 0.0) | REST | EXPRESSIONS[name]


def test_units_follow_the_order_of_the_model() -> None:
    smile = units_of("smile", UNITS[::-1])
    assert smile[::-1] == units_of("smile", UNITS)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: units_of("wonder", UNITS), "no expression 'wonder'"),
        (lambda: units_of("kiss", ("AU12",)), "needs AU18, AU24"),
        (lambda: intensities({"AU12": 1.5}, UNITS), "AU12 is 1.5"),
        (lambda: intensities({"AU12": float("nan")}, UNITS), "AU12 is nan"),
    ],
)
def test_expressions_that_cannot_be_made_say_why(call: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call()


def test_the_shared_faces_are_parted_by_person(shared_data: Path) -> None:
    del shared_data
    persons = [{item.group for item in shards.load("faces-lfw", name)} for name in ("train", "test")]
    assert not persons[0] & persons[1]
    parts = {name: units.open_set("faces-lfw", (3, 16, 16), split=name) for name in ("train", "test")}
    assert [len(part) for part in parts.values()] == [3290, 519]
    assert parts["test"].names["units"] == UNITS
    assert len(parts["test"].training_part()) == len(parts["train"])
    assert not torch.isnan(parts["test"].pose).any()
