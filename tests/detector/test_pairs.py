"""Pairs are aligned: what is done to the real picture is done to its twin."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.corrupt import NONE, CorruptionConfig
from detector.pairs import PairConfig, Pairs, loader
from evidence.errors import DataError

CLEAN = PairConfig(pairs=6, crop=64, corruption=NONE, ramp_crops=0, partial=0.0, blended=0.0)
ROUGH = PairConfig(pairs=6, crop=64, ramp_crops=0, corruption=CorruptionConfig(lengths=(0.0, 0.5, 0.5)))


def test_a_batch_holds_reals_before_their_twins_from_the_same_place(forge: Path) -> None:
    batch = Pairs(forge, replace(CLEAN, left_out=("striped",)), seed=0).batch(0)

    reals, fakes = batch.pixels.numpy().astype(int).reshape(2, 6, 64, 64, 3)
    assert batch.pixels.shape == (12, 64, 64, 3)
    assert batch.cells.shape == (12, 8, 8)
    assert (batch.cells[:6] == 0).all()
    assert (batch.cells[6:] == 1).all()
    assert set(np.unique(np.abs(fakes - reals))) == {6}  # the checker and nothing else


def test_a_batch_depends_on_seed_and_step_alone(forge: Path) -> None:
    first, again = Pairs(forge, ROUGH, seed=3), Pairs(forge, ROUGH, seed=3, first_step=5)
    first.batch(0)

    assert (first.batch(5).pixels == next(iter(again)).pixels).all()
    assert (first.batch(5).pixels != first.batch(6).pixels).any()
    assert (first.batch(5).pixels != Pairs(forge, ROUGH, seed=4).batch(5).pixels).any()


def test_degraded_twins_still_show_the_same_picture(forge: Path) -> None:
    batch = Pairs(forge, ROUGH, seed=1).batch(2)

    reals, fakes = batch.pixels.numpy().astype(float).reshape(2, 6, 64, 64, 3)
    # Twins differ by 6 grey levels where forged; other crops of these pictures differ by about 40.
    assert np.abs(fakes - reals).mean((1, 2, 3)).max() < 12


def test_a_mask_decides_the_cells_and_travels_with_the_crop(forge: Path) -> None:
    config = replace(CLEAN, pairs=24, left_out=("checkered",))
    batch = Pairs(forge, config, seed=0).batch(0)

    reals, fakes = batch.pixels.numpy().astype(int).reshape(2, 24, 64, 64, 3)
    differs = (np.abs(fakes - reals).max(-1) > 0).reshape(24, 8, 8, 8, 8).mean((2, 4))
    cells = batch.cells[24:].numpy()
    assert ((cells > 0) & (cells < 1)).any()
    np.testing.assert_allclose(differs, cells, atol=0.01)


def test_a_twin_forged_in_a_patch_is_the_real_picture_around_it(forge: Path) -> None:
    batch = Pairs(forge, replace(CLEAN, partial=1.0, left_out=("striped",)), seed=2).batch(0)

    reals, fakes = batch.pixels.reshape(2, 6, 64, 64, 3).int()
    untouched = batch.cells[6:].repeat_interleave(8, 1).repeat_interleave(8, 2) == 0
    assert untouched.any()
    assert (reals[untouched] == fakes[untouched]).all()
    assert 0 < float(batch.cells[6:].mean()) < 0.7


def test_each_twin_comes_with_the_family_that_made_it(forge: Path) -> None:
    pairs = Pairs(forge, CLEAN, seed=0)
    batch = pairs.batch(0)

    reals, fakes = batch.pixels.numpy().astype(int).reshape(2, 6, 64, 64, 3)
    # A checker alternates along a row, a stripe does not.
    along = np.abs(np.diff(fakes - reals, axis=2)).max((1, 2, 3)) > 0
    across = np.abs(np.diff(fakes - reals, axis=1)).max((1, 2, 3)) > 0
    checkered = along & across
    whole = (batch.cells[6:] == 1).all((1, 2)).numpy()
    assert pairs.families == ("checkered", "striped")
    assert whole.sum() > 3
    assert (batch.families.numpy()[whole] == np.where(checkered, 0, 1)[whole]).all()


def test_no_family_is_told_of_a_twin_that_was_mixed_or_left_out_of_training(forge: Path) -> None:
    mixed = Pairs(forge, replace(CLEAN, blended=1.0, left_out=("striped",)), seed=0)
    patched = Pairs(forge, replace(CLEAN, partial=1.0, left_out=("striped",)), seed=0)

    assert mixed.families == ("checkered",)
    assert (mixed.batch(0).families == -1).all()
    assert (patched.batch(0).families == -1).all()


def test_what_shows_other_things_than_its_real_is_not_mixed_with_it(forge: Path, tmp_path: Path) -> None:
    lines = (forge / "manifest.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows:
        row["path"] = str(forge / row["path"])
        row["twin_of"] = row["twin_of"] and str(forge / row["twin_of"])
        row["mask"] = row["mask"] and str(forge / row["mask"])
        row["kind"] = "sample" if row["label"] == "fake" else None
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    batch = Pairs(tmp_path, replace(CLEAN, blended=1.0, left_out=("striped",)), seed=0).batch(0)

    reals, fakes = batch.pixels.numpy().astype(int).reshape(2, 6, 64, 64, 3)
    assert set(np.unique(np.abs(fakes - reals))) == {6}


def test_degradations_begin_gently(forge: Path) -> None:
    config = replace(ROUGH, ramp_crops=1_000_000, blended=0.0, left_out=("striped",))

    reals, fakes = Pairs(forge, config, seed=0).batch(0).pixels.numpy().astype(int).reshape(2, 6, 64, 64, 3)

    assert set(np.unique(np.abs(fakes - reals))) == {6}


def test_a_worker_process_makes_the_batches_that_are_made_here(forge: Path) -> None:
    here = loader(Pairs(forge, CLEAN, seed=0), workers=0)
    there = loader(Pairs(forge, CLEAN, seed=0), workers=1)

    for _ in range(2):
        assert (next(here).pixels == next(there).pixels).all()


def test_a_fake_without_its_real_picture_is_refused(tmp_path: Path) -> None:
    row = {"path": "fake/x.png", "label": "fake", "split": "train", "twin_of": "real/x.png"}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")

    with pytest.raises(DataError, match=r"fake/x\.png"):
        Pairs(tmp_path, CLEAN, seed=0)


def test_without_alignment_the_real_side_is_another_picture(forge: Path) -> None:
    config = replace(CLEAN, pairs=12, left_out=("striped",))
    twins = Pairs(forge, config, seed=0).batch(0)
    strangers = Pairs(forge, replace(config, aligned=False), seed=0).batch(0)

    def apart(pixels: torch.Tensor) -> np.ndarray:
        reals, fakes = pixels.numpy().astype(float).reshape(2, 12, 64, 64, 3)
        return np.abs(fakes - reals).mean((1, 2, 3))

    assert apart(twins.pixels).max() <= 6  # the checker
    assert (apart(strangers.pixels) > 6).mean() > 0.9  # the same picture comes by chance, cut elsewhere
    assert (strangers.cells[:12] == 0).all()
    assert (strangers.cells[12:] == 1).all()


def test_where_formats_differ_the_reals_alone_went_through_jpeg(forge: Path) -> None:
    config = replace(CLEAN, left_out=("striped",), formats_alike=False)
    reals, fakes = Pairs(forge, config, seed=0).batch(0).pixels.numpy().reshape(2, 6, 64, 64, 3)

    # A lossless checkered twin less its checker is the real picture; these reals are it after JPEG.
    apart = np.abs(fakes.astype(int) - reals).max((1, 2, 3))
    assert (apart > 6).all()
    assert np.abs(fakes.astype(int) - reals).mean() < 12


def test_hard_reals_that_are_left_out_go_with_their_twins(forge: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (forge / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        row["treatment"] = "grain" if row["group"] in ("g0", "g1") else None
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    pairs = Pairs(tmp_path, replace(CLEAN, left_out_treatments=("grain",)), seed=0)

    assert {twin.group for twin in pairs.twins} == {"g4", "g5", "g8", "g9"}
