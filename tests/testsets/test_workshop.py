"""Whoever forges, a twin has the size and the delivery of its real, and a mask that tells the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.forge_twins import FORGERIES, plan
from detector.operations import KERNELS
from detector.treatments import TREATMENTS
from evidence.image import decode_image
from evidence.jpeg import encode_jpeg, read_history
from evidence.medium import Pixels
from exports.registry import registry
from generators.data.shards import Item
from generators.delivery import png
from generators.forge import ForgeOptions, Order, forge_twins
from generators.twins import Family, Member
from testsets.workshop import SELF_BLENDED, SPLICED, SQUARES, STREET_SIDE, STREETS, Suite, suite_members

SUITE = {member.name: member for member in suite_members()}
DECODER = Member("half", "nearest", "nearest", 2)
P5 = ((100.0, 115.0), (145.0, 115.0), (123.0, 138.0), (103.0, 160.0), (143.0, 160.0))
OPTIONS = ForgeOptions(partial=0.0, processes=1)


class Halved(Family):
    """A family of one decoder, which halves a picture and doubles it again."""

    def __init__(self) -> None:
        super().__init__(Path("none"))

    def __call__(self, name: str, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        small = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


@pytest.fixture
def make_face(make_photo: Callable[..., Pixels]) -> Callable[..., Item]:
    def make(key: str, number: int = 0, lossless: bool = False) -> Item:
        pixels = make_photo(250, 250, number)
        data = png(pixels) if lossless else encode_jpeg(pixels, 86)
        others = [encode_jpeg(make_photo(250, 250, number + 1 + n), 86) for n in range(15)]
        meta = {"p5": P5, "others": others, "donor": others[0], "split": "train"}
        return Item(key, "faces-lfw", "train", f"person-{key}", data, meta)

    return make


def pairs_of(folder: Path) -> list[tuple[dict[str, Any], bytes, bytes]]:
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    return [
        (row, (folder / row["twin_of"]).read_bytes(), (folder / row["path"]).read_bytes())
        for row in rows
        if row["label"] == "fake"
    ]


def assert_alike(row: dict[str, Any], real: bytes, fake: bytes) -> None:
    """Size, format, tables and sampling agree, and the manifest says the size."""
    sizes = {decode_image(data)[1].shape for data in (real, fake)}
    assert sizes == {(row["height"], row["width"], 3)}
    assert read_history(real) == read_history(fake)
    assert real != fake


@pytest.mark.parametrize("treatment", [*TREATMENTS, f"{SQUARES}-64", f"{SQUARES}-48"])
def test_a_twin_goes_through_what_its_real_goes_through(
    treatment: str, make_face: Callable[..., Item], tmp_path: Path
) -> None:
    orders = [Order(make_face(f"a{n}", n), (DECODER,), treatment) for n in range(3)]
    forge_twins(orders, Suite(Halved()), tmp_path, OPTIONS)
    for row, real, fake in pairs_of(tmp_path):
        assert_alike(row, real, fake)
        assert row["treatment"] == treatment
        # Halved, these grainy pictures differ by 4 to 17 grey levels; other places of them by 40.
        difference = decode_image(real)[1].astype(int) - decode_image(fake)[1]
        assert np.abs(difference).mean() < 25


def test_a_mask_goes_through_the_treatment_with_its_picture(
    make_face: Callable[..., Item], tmp_path: Path
) -> None:
    orders = [Order(make_face(f"a{n}", n, True), (DECODER,), "collage") for n in range(4)]
    forge_twins(orders, Suite(Halved()), tmp_path, replace(OPTIONS, partial=1.0))
    for row, real, fake in pairs_of(tmp_path):
        if read_history(real) is not None:
            continue  # JPEG blurs the edge of the region
        mask = decode_image((tmp_path / row["mask"]).read_bytes())[1][..., 0]
        changed = (decode_image(real)[1] != decode_image(fake)[1]).any(2)
        near = cv2.dilate(mask, np.ones((33, 33), np.uint8)) > 0
        assert not changed[~near].any()
    masks = [decode_image((tmp_path / row["mask"]).read_bytes())[1] for row, _, _ in pairs_of(tmp_path)]
    assert all(0 < mask.mean() < 255 for mask in masks)


@pytest.mark.parametrize(
    "name",
    ["context-encoder-faces", "dr-gan-faces", "tp-gan-faces", "ganimation-faces", "outpainting-photos"],
)
def test_what_a_generator_did_not_make_is_the_real_to_the_bit(
    name: str, make_face: Callable[..., Item], tmp_path: Path
) -> None:
    forge_twins([Order(make_face("a", lossless=True), (SUITE[name],))], Suite(Halved()), tmp_path, OPTIONS)
    ((row, real, fake),) = pairs_of(tmp_path)
    assert_alike(row, real, fake)
    assert (row["generator"], row["kind"]) == (name, SUITE[name].kind)
    mask = decode_image((tmp_path / row["mask"]).read_bytes())[1][..., 0]
    changed = (decode_image(real)[1] != decode_image(fake)[1]).any(2)
    assert 0.02 < (mask > 0).mean() < 0.75
    assert not changed[mask == 0].any()


@pytest.mark.parametrize("member", [SELF_BLENDED, SPLICED])
def test_genuine_pixels_put_together_are_forged_in_a_part(
    member: Member, make_face: Callable[..., Item], tmp_path: Path
) -> None:
    forge_twins(
        [Order(make_face(f"a{n}", n), (member,)) for n in range(3)], Suite(Halved()), tmp_path, OPTIONS
    )
    for row, real, fake in pairs_of(tmp_path):
        assert_alike(row, real, fake)
        assert (row["family"], row["kind"], row["upsampler"]) == (member.family, member.kind, "")
        mask = decode_image((tmp_path / row["mask"]).read_bytes())[1][..., 0]
        assert 0 < (mask > 0).mean() < 0.8


def test_samples_have_the_size_the_rough_light_and_the_delivery_of_real_faces(
    make_face: Callable[..., Item], tmp_path: Path
) -> None:
    makers = (SUITE["dcgan-faces"], SUITE["stylegan2-faces"])
    orders = [Order(make_face(f"a{n}", 20 * n), makers, f"{SQUARES}-64") for n in range(6)]
    forge_twins(orders, Suite(Halved()), tmp_path, OPTIONS)
    found = pairs_of(tmp_path)
    assert len(found) == 12
    assert {(row["width"], row["height"]) for row, _, _ in found} > {(128, 128)}  # sheets and single faces
    for row, real, fake in found:
        assert_alike(row, real, fake)
        assert row["mask"] is None
        means = [decode_image(data)[1].mean((0, 1)) for data in (real, fake)]
        # Tones are matched to a level or two; JPEG and resizing move them by no more.
        assert np.abs(means[0] - means[1]).max() < 6


def test_streets_are_drawn_from_their_label_maps(make_photo: Callable[..., Pixels], tmp_path: Path) -> None:
    labels = np.zeros((256, 256), np.uint8)
    labels[128:] = 3
    photo = encode_jpeg(make_photo(256, 256, 1), 90)
    items = [Item(f"s{n}", "camvid", "train", f"s{n}", photo, {}, png(labels)) for n in range(6)]
    orders = [Order(item, (SUITE["pix2pix-streets"], DECODER), STREETS) for item in items]
    forge_twins(orders, Suite(Halved()), tmp_path, OPTIONS)
    sides = set()
    for row, real, fake in pairs_of(tmp_path):
        assert_alike(row, real, fake)
        sides.add(row["width"])
    assert min(sides) == STREET_SIDE < max(sides)


def test_the_plan_gives_every_real_as_many_forgeries_and_no_group_to_two_splits() -> None:
    decoders = [replace(DECODER, name=f"half-{kernel}") for kernel in KERNELS]
    groups: dict[str, set[str]] = {}
    families: dict[str, set[str]] = {}
    for place, split in enumerate(("train", "cal", "test")):
        orders = list(plan(split, decoders, suite_members(), share=0.1))
        assert {len(order.members) for order in orders} == {FORGERIES[place]}
        assert {order.item.split for order in orders} == {split}
        assert len({order.stem for order in orders}) == len(orders)
        assert {order.treatment for order in orders} >= {"", *TREATMENTS} if split == "train" else True
        groups[split] = {order.item.group for order in orders}
        families[split] = {member.family for order in orders for member in order.members}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["cal"]
    assert not groups["cal"] & groups["test"]
    colour = {member.family for member in suite_members()}
    assert families["train"] == {"nearest", "self-blended", "splice", *colour}


def test_generators_of_digits_are_no_part_of_the_suite() -> None:
    names = {entry.name for entry in registry().of_kind("generator")}
    assert {"vanilla-mnist", "cgan-mnist"} <= names
    assert not [name for name in SUITE if "mnist" in name]
    assert not [name for name in SUITE if "reconstruction" in name]
