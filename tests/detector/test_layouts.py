"""Every layout of the field is read by the names in it: who is real, whose forgery, which reals it meets."""

from pathlib import Path

import pytest

from detector.entries import Entry
from detector.readers import read
from evidence.errors import DataError

# layout -> file: (label, generator, pool)
LAYOUTS: dict[str, dict[str, tuple[str, str, str]]] = {
    "ForenSynths": {
        "progan/cat/0_real/a.png": ("real", "progan", "progan"),
        "progan/cat/1_fake/b.png": ("fake", "progan", "progan"),
        "crn/1_fake/c.png": ("fake", "crn", "crn"),
    },
    "UniversalFakeDetect": {
        "imagenet/0_real/a.jpg": ("real", "imagenet", "imagenet"),
        "laion/0_real/b.jpg": ("real", "laion", "laion"),
        "guided/1_fake/c.png": ("fake", "guided", "imagenet"),
        "ldm_200_cfg/1_fake/d.png": ("fake", "ldm_200_cfg", "laion"),
        "dalle/1_fake/e.png": ("fake", "dalle", "laion"),
    },
    "UniversalFakeDetect with pairs of its own": {
        "dalle/0_real/a.png": ("real", "dalle", "dalle"),
        "dalle/1_fake/b.png": ("fake", "dalle", "dalle"),
        "laion/0_real/c.png": ("real", "laion", "laion"),
    },
    "GANGen": {
        "AttGAN/0_real/a.png": ("real", "AttGAN", "AttGAN"),
        "AttGAN/1_fake/b.png": ("fake", "AttGAN", "AttGAN"),
    },
    "DiffusionForensics": {
        "images/test/lsun_bedroom/real/a.png": ("real", "", "images/lsun_bedroom"),
        "images/test/lsun_bedroom/adm/b.png": ("fake", "adm", "images/lsun_bedroom"),
        "images/test/imagenet/sdv1/n01440764/c.png": ("fake", "sdv1", "images/imagenet"),
        "images/test/imagenet/real/n01440764/d.png": ("real", "", "images/imagenet"),
    },
    "GenImage": {
        "ADM/imagenet_ai_0508_adm/val/ai/x.PNG": ("fake", "ADM", "ADM"),
        "ADM/imagenet_ai_0508_adm/val/nature/y.JPEG": ("real", "ADM", "ADM"),
    },
    "GenImage unpacked in one place": {
        "imagenet_ai_0419_sdv5/val/ai/x.png": ("fake", "stable_diffusion_v_1_5", "stable_diffusion_v_1_5"),
        "imagenet_midjourney/val/nature/y.JPEG": ("real", "Midjourney", "Midjourney"),
    },
    "AIGIBench": {
        "test/FLUX1-dev/0_real/a.png": ("real", "FLUX1-dev", "FLUX1-dev"),
        "test/FLUX1-dev/1_fake/b.png": ("fake", "FLUX1-dev", "FLUX1-dev"),
    },
    "AIGCDetect": {
        "test/progan/airplane/0_real/a.png": ("real", "progan", "progan"),
        "test/wukong/1_fake/b.png": ("fake", "wukong", "wukong"),
    },
    "WildRF": {
        "test/reddit/0_real/a.jpg": ("real", "reddit", "reddit"),
        "test/twitter/1_fake/b.jpg": ("fake", "twitter", "twitter"),
    },
    "RealChain": {
        "Real/a.png": ("real", "", "RealChain"),
        "Flux1/b.png": ("fake", "Flux1", "RealChain"),
        "i2i/c.png": ("fake", "i2i", "RealChain"),
    },
    "DRCT-2M": {
        "MSCOCO2017/val2017/000000000139.jpg": ("real", "", ""),
        "sdxl-turbo/val2017/000000000139.png": ("fake", "sdxl-turbo", ""),
    },
    "GenConViT": {
        "test/real/a.mp4": ("real", "GenConViT", "GenConViT"),
        "test/fake/b.mp4": ("fake", "GenConViT", "GenConViT"),
    },
    "GenVideo": {
        "Real/MSRVTT/a.mp4": ("real", "MSRVTT", "MSRVTT"),
        "Fake/Sora/b.mp4": ("fake", "Sora", "Sora"),
    },
    "a Hugging Face image folder": {
        "train/real/a.png": ("real", "a Hugging Face image folder", "a Hugging Face image folder"),
        "train/fake/b.png": ("fake", "a Hugging Face image folder", "a Hugging Face image folder"),
    },
}


def lay(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def told(entries: list[Entry]) -> dict[str, tuple[str, str, str]]:
    return {entry.key: (entry.label, entry.generator, entry.pool) for entry in entries}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_read_as_it_is(tmp_path: Path, layout: str) -> None:
    root = lay(tmp_path / layout, *LAYOUTS[layout])

    assert told(read(root)) == LAYOUTS[layout]


def test_what_dire_computed_and_the_masks_are_no_pictures_to_judge(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        "images/test/imagenet/real/a.png",
        "images/test/imagenet/adm/b.png",
        "dire/test/imagenet/adm/b.png",
        "recons/test/imagenet/real/a.png",
        "images/test/imagenet/masks/b.png",
    )

    assert {entry.path.name: entry.split for entry in read(root)} == {"a.png": "test", "b.png": "test"}
    assert len(read(root)) == 2


def test_the_same_scene_of_coco_is_one_group_whoever_made_it(tmp_path: Path) -> None:
    root = lay(tmp_path, "MSCOCO2017/val2017/000000000139.jpg", "ldm/val2017/000000000139.png")

    assert {(entry.group, entry.split) for entry in read(root)} == {("000000000139", "val")}


def test_fakes_alone_are_judged_against_reals_that_lie_elsewhere(tmp_path: Path) -> None:
    fakes = lay(tmp_path / "synthbuster", "dalle3/r1.png", "firefly/r2.png", "prompts.csv")
    reals = lay(tmp_path / "raise", "r1.png", "more/r2.tif")
    (fakes / "prompts.csv").write_text("image name,Prompt\nr1.png,a cat\n", encoding="utf-8")

    assert told(read(fakes, reals=reals)) == {
        "dalle3/r1.png": ("fake", "dalle3", ""),
        "firefly/r2.png": ("fake", "firefly", ""),
        "reals/more/r2.tif": ("real", "", ""),
        "reals/r1.png": ("real", "", ""),
    }


def test_reals_that_lie_elsewhere_join_those_of_every_split(tmp_path: Path) -> None:
    fakes = lay(tmp_path / "drct", "ldm/val2017/1.png", "ldm/train2017/2.png")
    reals = lay(tmp_path / "coco", "9.jpg")

    assert [entry.key for entry in read(fakes, split="val", reals=reals)] == [
        "ldm/val2017/1.png",
        "reals/9.jpg",
    ]
    with pytest.raises(DataError, match="split 'test'"):
        read(fakes, split="test", reals=reals)
