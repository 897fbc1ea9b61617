"""`touchstone train` and `export` on what people hand in: a fault is one clear line, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command_line import Ran, Touchstone

SHORT = ("--preset", "smoke", "--set", "total_images=8")


@pytest.fixture(autouse=True)
def _compiled_code_is_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch makes a folder for what it compiles when it is first imported; that is no file left behind."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six pictures of odd sizes, no two of one mode."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, mode in enumerate(("RGB", "L", "RGBA", "P", "1", "CMYK")):
        pixels = rng.integers(0, 256, (33 + number, 47 - 2 * number, 3), np.uint8)
        suffix = "jpg" if mode == "CMYK" else "png"
        Image.fromarray(pixels).convert(mode).save(folder / f"{number}.{suffix}")
    return folder


def refused(ran: Ran, *words: str) -> None:
    """One line that says so, and no fault of ours."""
    assert ran.code in (2, 3)
    assert ran.err.count("\n") == 1
    assert "internal:" not in ran.err
    for word in words:
        assert word in ran.err


def test_odd_sizes_and_mixed_modes_train(touchstone: Touchstone, pictures: Path) -> None:
    ran = touchstone("train", "dcgan", "--data", pictures, *SHORT, "--out", "run")
    assert ran.code == 0, ran.err
    assert json.loads(Path("run/record.json").read_text())["images_seen"] == 8


def test_a_folder_that_cannot_teach_is_refused_and_says_why(touchstone: Touchstone, pictures: Path) -> None:
    def train(system: str, data: Path) -> Ran:
        return touchstone("train", system, "--data", data, *SHORT, "--out", f"{data.name}-{system}")

    empty, one = Path("empty"), Path("one")
    for folder in (empty, one):
        folder.mkdir()
    (one / "a.png").write_bytes((pictures / "0.png").read_bytes())
    refused(train("dcgan", empty), "The folder empty holds no pictures")
    refused(train("dcgan", one), "holds one picture, a.png")
    refused(train("dcgan", Path("nowhere")), "neither a picture folder nor a known data set")
    refused(train("pix2pix", pictures), "not a source and a picture")
    refused(train("cyclegan", pictures), "a folder for each domain")
    refused(train("tac_gan", pictures), "no captions.jsonl and no captions.txt")
    refused(train("dr_gan", pictures), "has no poses.csv")
    refused(train("ganimation", pictures), "has no units.csv")
    refused(train("cgan", pictures), "class")


def test_an_unreadable_picture_is_named(touchstone: Touchstone, pictures: Path) -> None:
    (pictures / "broken.png").write_bytes((pictures / "0.png").read_bytes()[:60])
    refused(touchstone("train", "dcgan", "--data", pictures, *SHORT, "--out", "run"), "broken.png")
    assert not Path("run").exists()


def test_a_folder_called_as_a_picture_is_no_picture(touchstone: Touchstone, pictures: Path) -> None:
    (pictures / "album.png").mkdir()
    assert touchstone("train", "dcgan", "--data", pictures, *SHORT, "--out", "run").code == 0


def test_a_class_without_members_is_named(touchstone: Touchstone, pictures: Path) -> None:
    for name in ("cats", "dogs"):
        (pictures / name).mkdir()
    for path in list(pictures.glob("*.*")):
        path.rename(pictures / "cats" / path.name)
    refused(touchstone("train", "cgan", "--data", pictures, *SHORT, "--out", "run"), "dogs")


@pytest.mark.parametrize(
    ("system", "table", "text", "words"),
    [
        ("ganimation", "units.csv", "file,AU12\n0.png,1.4\n1.jpg,0\n", "Line 2"),
        ("ganimation", "units.csv", "file,AU12\n0.png,-0.1\n", "AU12 the value '-0.1'"),
        ("ganimation", "units.csv", "file,AU12\nf\xe9e.png,0\n", "no text in UTF-8"),
        ("dr_gan", "poses.csv", "file,yaw\n0.png,100\n", "the yaw '100'"),
        ("dr_gan", "poses.csv", "file,yaw\nf\xe9e.png,0\n", "no text in UTF-8"),
        ("tac_gan", "captions.txt", "0.png\tA f\xe9e.\n", "no text in UTF-8"),
        ("tac_gan", "captions.jsonl", '{"file": "0.png"}\n', "Line 1"),
    ],
)
def test_a_table_that_does_not_fit_names_its_line(
    touchstone: Touchstone, pictures: Path, system: str, table: str, text: str, words: str
) -> None:
    (pictures / table).write_bytes(text.encode("latin-1"))
    refused(touchstone("train", system, "--data", pictures, *SHORT, "--out", "run"), table, words)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("image_size=48", "power of two"),
        ("image_size=0", "power of two"),
        ("batch=0", "batch=0"),
        ("discriminator_steps=0", "discriminator_steps=0"),
        ("loss=foo", "Write --set loss=bce or lsgan or hinge or relativistic or wasserstein."),
        ("width=0", "width=0 makes no sense. Take 1 or more."),
        ("latent=-3", "Take 1 or more."),
        ("generator_lr=-1", "Take 0 or more."),
        ("total_images=-4", "Take 1 or more."),
        ("betas=0.5", "betas is of 2 numbers. Write --set betas=0.5,0.999"),
        ("betas=0.5,1", "a number from 0 to 0.999999"),
        ("image_size=1048576", "There is too little memory"),
    ],
)
def test_a_setting_that_cannot_be_built_is_refused(
    touchstone: Touchstone, pictures: Path, setting: str, words: str
) -> None:
    asked = ("train", "dcgan", "--data", pictures, *SHORT, "--set", setting, "--out", "run")
    refused(touchstone(*asked), words)


def test_a_checkpoint_of_another_system_is_refused_and_stays(touchstone: Touchstone, pictures: Path) -> None:
    for system in ("dcgan", "wgan"):
        asked = ("train", system, "--data", pictures, *SHORT, "--set", "loss=bce", "--set", "width=4")
        assert touchstone(*asked, "--out", system).code == 0
    own = Path("dcgan/checkpoint.pt").read_bytes()
    Path("wgan/checkpoint.pt").write_bytes(own)
    refused(touchstone(*asked, "--out", "wgan", "--resume"), "is of dcgan, its config.json of wgan")
    refused(touchstone("export", "x", "--run", "wgan", "--to", "models"), "is of dcgan")
    Path("wgan/checkpoint.pt").write_bytes(own[: len(own) // 2])
    refused(touchstone(*asked, "--out", "wgan", "--resume"), "cannot be read")
    Path("wgan/verdict.json").unlink()
    refused(touchstone("export", "x", "--run", "wgan", "--to", "models"), "has no verdict.json", "--resume")


def test_to_go_on_with_a_run_there_has_to_be_one(touchstone: Touchstone, pictures: Path) -> None:
    asked = ("train", "dcgan", "--data", pictures, *SHORT, "--out", "run", "--resume")
    refused(touchstone(*asked), "There is no run in run to go on with: there is no such folder.", "--out")
    assert not Path("run").exists()
    Path("run").mkdir()
    refused(touchstone(*asked), "it has no config.json", "leave --resume out")
    refused(touchstone("train", "detector", "--data", pictures, "--out", "run", "--resume"), "no config.json")

    assert touchstone(*asked[:-1]).code == 0
    Path("run/checkpoint.pt").unlink()  # killed before the first was written
    ran = touchstone(*asked)
    assert ran.code == 0
    assert "No checkpoint had been written to run yet. The run begins at its start." in ran.err


def test_a_full_disk_ends_in_a_line_and_leaves_the_checkpoint(
    touchstone: Touchstone, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("train", "dcgan", "--data", pictures, "--preset", "smoke", "--set", "total_images=16")
    assert touchstone(*asked, "--out", "run", "--budget-minutes", 0).code == 0
    before = Path("run/checkpoint.pt").read_bytes()

    def full(*given: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("torch.save", full)
        ran = touchstone(*asked, "--out", "run", "--resume")
    assert ran.code == 3
    assert "output: The checkpoint run/checkpoint.pt cannot be written" in ran.err
    assert "No space left on device" in ran.err
    assert Path("run/checkpoint.pt").read_bytes() == before
    assert touchstone(*asked, "--out", "run", "--resume").code == 0


def test_a_new_family_needs_all_that_it_is_learned_from(touchstone: Touchstone, tmp_path: Path) -> None:
    def learn(*more: object) -> Ran:
        return touchstone("train", "detector", "--add", tmp_path, "--out", "learned", *more)

    refused(learn(), "--add SET, --start RUN, --data TWINS, --to DIR")
    whole = ("--data", tmp_path, "--to", "models", "--start")
    refused(learn(*whole, "learned"), "--out is the run that is started from")
    refused(learn(*whole, tmp_path), "holds no labelled picture")
    refused(touchstone("train", "dcgan", "--add", tmp_path), "It is for the detector")
    ran = learn(*whole, tmp_path, "--dry-run", "--set", "total_crops=99")
    assert json.loads(ran.out)["settled"]["total_crops"] == 99
