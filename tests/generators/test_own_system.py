"""A system that is in no catalogue: the example of docs/add-a-gan.md through train, export and generate."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from evidence.errors import UsageError
from exports.command import export_run
from exports.registry import Registry
from exports.sampling import sample
from generators import catalogue
from generators.training.command import run

OWN = Path(__file__).resolve().parents[2] / "examples" / "own_gan.py"

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.*LeafSpec:FutureWarning")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(12):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 48, 3), np.uint8)
        assert cv2.imwrite(str(folder / f"{index}.png"), pixels)
    return folder


def test_a_file_of_ones_own_trains_exports_and_is_sampled(pictures: Path, tmp_path: Path) -> None:
    assert len(OWN.read_text(encoding="utf-8").splitlines()) <= 60
    overrides = {"batch": "4", "total_images": "16", "width": "8"}
    record = run(f"{OWN}:OwnGan", data=str(pictures), out=tmp_path / "run", overrides=overrides)
    assert record.system == "own"
    assert record.images_seen == 16

    (tmp_path / "models").mkdir()
    models = Registry([tmp_path / "models"])
    with pytest.raises(UsageError, match=f"runs that file.*--trust {OWN}:OwnGan"):
        export_run(tmp_path / "run", "own", "1.0.0", models=models)
    entry = export_run(tmp_path / "run", "own", "1.0.0", models=models, trusted=f"{OWN}:OwnGan")
    pixels = sample(entry, 3, seed=0)
    assert [picture.shape for picture in pixels] == [(32, 32, 3)] * 3


def test_a_run_of_ones_own_system_is_restored_from_its_folder(pictures: Path, tmp_path: Path) -> None:
    overrides = {"batch": "4", "total_images": "8", "width": "8"}
    run(f"{OWN}:OwnGan", data=str(pictures), out=tmp_path / "run", overrides=overrides)
    name = f"{OWN.parent}/../examples/own_gan.py:OwnGan"  # the same file in other words
    assert catalogue.restore(tmp_path / "run", trusted=name).config.width == 8


def test_no_file_runs_unasked_and_none_but_the_one_that_is_named(pictures: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(OWN.read_text(encoding="utf-8"), encoding="utf-8")
    overrides = {"batch": "4", "total_images": "8", "width": "8"}
    run(f"{own}:OwnGan", data=str(pictures), out=tmp_path / "run", overrides=overrides)
    own.write_text("raise SystemExit('it ran')\n", encoding="utf-8")
    for trusted in ("", f"{OWN}:OwnGan", f"{own}:Other"):
        with pytest.raises(UsageError, match="loading it runs that file"):
            catalogue.restore(tmp_path / "run", trusted=trusted)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.py:OwnGan", "no file nowhere.py"),
        (f"{OWN}:Missing", "gives no system Missing"),
        (f"{OWN}:Config", "no AdversarialModel"),
        ("unheard-of", "your own is FILE.py:CLASS"),
    ],
)
def test_what_is_no_system_is_named(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        catalogue.system(name)


def test_a_hyphen_in_a_system_s_name_is_an_underscore() -> None:
    assert catalogue.system("wgan-gp") is catalogue.system("wgan_gp")
    assert catalogue.create("wgan-gp", "smoke").origin == "wgan_gp"
