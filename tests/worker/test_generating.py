"""Jobs of kind "generate": pictures with their origin, or why there are none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from evidence.errors import UsageError
from tests import tiny_generators
from tests.worker_service import Shop
from worker.generating import MIMES, generator
from worker.keeping import Keeper
from worker.perform import Outcome
from worker.requests import GenerateRequest, generate_job
from worker.settings import load_settings


@pytest.fixture
def studio(shop: Shop, tmp_path: Path) -> Shop:
    """A shop with the generators of tiny_generators.py."""
    folder = tmp_path / "generators"
    folder.mkdir()
    tiny_generators.install(folder)
    return replace(shop, settings=shop.settings.model_copy(update={"models": str(folder)}))


def made(shop: Shop, *requests: GenerateRequest) -> list[Outcome]:
    for request in requests:
        shop.store.submit(generate_job(request))
    return shop.perform()


def test_pictures_of_classes_lie_beside_a_manifest_that_says_what_they_are(studio: Shop) -> None:
    (outcome,) = made(studio, GenerateRequest("shades", 3, conditions={"classes": ["white", "0"]}))
    assert outcome.result is not None
    files = outcome.result["files"]
    assert [file["name"] for file in files] == [
        "shades-0-00000.png", "shades-0-00001.png", "shades-0-00002.png", "manifest.jsonl"
    ]  # fmt: skip
    paths = [studio.media.artefact(outcome.lease.job, file["name"]) for file in files]
    assert [file["size_bytes"] for file in files] == [path.stat().st_size for path in paths]
    shades = [int(cv2.imread(str(path)).mean()) for path in paths[:3]]
    assert shades == [255, 0, 255]
    rows = [json.loads(line) for line in paths[3].read_text(encoding="utf-8").splitlines()]
    assert [row["class"] for row in rows] == ["white", "black", "white"]
    assert {row["label"] for row in rows} == {"fake"}


def test_the_same_seed_gives_the_same_pictures(studio: Shop) -> None:
    asked = GenerateRequest("dots", 2, seed=7)
    first, again, other = made(studio, asked, replace(asked, conditions={}), replace(asked, seed=8))
    pictures = [
        np.stack(
            [
                cv2.imread(str(studio.media.artefact(one.lease.job, f"dots-{seed}-0000{n}.png")))
                for n in (0, 1)
            ]
        )
        for one, seed in ((first, 7), (again, 7), (other, 8))
    ]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (GenerateRequest("dots", conditions={"classes": ["white"]}), "takes no classes"),
        (GenerateRequest("shades", conditions={"caption": ["red"]}), "takes no caption"),
        (GenerateRequest("shades", conditions={"classes": ["mauve"]}), "no class 'mauve'"),
        (GenerateRequest("poet"), "needs caption"),
        (GenerateRequest("dots", conditions={"colour": "red"}), "No generator takes colour"),
        (GenerateRequest("mirror"), "needs input"),
        (GenerateRequest("nosuch"), "nosuch"),
    ],
)
def test_what_a_generator_cannot_be_asked_fails_once_and_costs_no_other(
    studio: Shop, request_: GenerateRequest, said: str
) -> None:
    refused, good = made(studio, request_, GenerateRequest("dots"))
    assert refused.cause is not None
    assert said in refused.cause["message"]
    assert refused.final
    assert good.result is not None


def test_progress_is_told(studio: Shop) -> None:
    made(studio, GenerateRequest("dots", 3))
    assert studio.told[0] == (1, 3)


def test_a_picture_that_goes_on_is_told_of_strip_by_strip(studio: Shop) -> None:
    conditions = {"input": [picture(studio)], "side": ["right", "top"], "extend": 40}
    (outcome,) = made(studio, GenerateRequest("extender", conditions=conditions))
    assert outcome.result is not None, outcome.cause
    assert studio.told[0] == (1, 4)


def test_a_picture_that_would_be_too_large_is_refused(studio: Shop) -> None:
    conditions = {"input": [picture(studio)], "side": ["right"], "extend": 2_000_000}
    (outcome,) = made(studio, GenerateRequest("extender", conditions=conditions))
    assert outcome.cause is not None
    assert "Take fewer pixels a side (extend)" in str(outcome.cause)
    assert outcome.final


def test_a_generation_that_nobody_waits_for_leaves_nothing(
    studio: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Keeper, "wanted", lambda *_: False)
    assert made(studio, GenerateRequest("dots", 3)) == []
    assert [path for path in studio.media.folder.rglob("*") if path.is_file()] == []


def picture(studio: Shop, name: str = "desk photo.png", **fields: str) -> dict[str, str]:
    """A grey picture of 96 x 64 that was handed in, as a condition names it."""
    path = studio.folder / "grey.png"
    assert cv2.imwrite(str(path), np.full((64, 96, 3), 100, np.uint8))
    return {"sha256": studio.put(path), "name": name} | fields


def pixels_of(studio: Shop, outcome: Outcome, role: str) -> list[NDArray[np.uint8]]:
    assert outcome.result is not None, outcome.cause
    names = [file["name"] for file in outcome.result["files"] if file["role"] == role]
    return [
        np.asarray(cv2.imread(str(studio.media.artefact(outcome.lease.job, name))), np.uint8)
        for name in names
    ]


def test_a_hole_in_a_picture_that_was_handed_in_is_filled_and_marked(studio: Shop) -> None:
    conditions = {"input": [picture(studio)], "box": "10,20,30,8", "grid": True}
    (outcome,) = made(studio, GenerateRequest("filler", conditions=conditions))

    (result,), (mask,), (before,), (sheet,) = (
        pixels_of(studio, outcome, role) for role in ("made", "mask", "before", "sheet")
    )
    hole = np.zeros((64, 96), bool)
    hole[20:28, 10:40] = True
    assert (mask[..., 0] == 255 * hole).all()
    assert (result[hole] == 255).all()
    assert (result[~hole] == 100).all()
    assert before.shape == (64, 96, 3)
    assert sheet.shape == (64, 192, 3)
    assert outcome.result is not None
    file = outcome.result["files"][0]
    assert (file["name"], file["before"]) == ("desk-photo-filler.png", "before-desk-photo.jpg")
    manifest = studio.media.artefact(outcome.lease.job, "manifest.jsonl").read_text(encoding="utf-8")
    assert json.loads(manifest)["parents"] == [conditions["input"][0]["sha256"]]  # type: ignore[index]


def test_a_mask_is_handed_in_beside_its_picture(studio: Shop) -> None:
    painted = np.zeros((64, 96), np.uint8)
    painted[:16] = 255
    assert cv2.imwrite(str(studio.folder / "mask.png"), painted)
    mask = {"sha256": studio.put(studio.folder / "mask.png"), "name": "desk photo.png"}

    (outcome,) = made(
        studio, GenerateRequest("filler", conditions={"input": [picture(studio)], "mask": [mask]})
    )

    (result,) = pixels_of(studio, outcome, "made")
    assert (result[:16] == 255).all()
    assert (result[16:] == 100).all()


def test_two_pictures_of_one_name_are_kept_apart(studio: Shop) -> None:
    names = ["../a.png", "a.jpg", "\u202e\u4e2d.png"]
    (outcome,) = made(
        studio,
        GenerateRequest("mirror", conditions={"input": [picture(studio, name) for name in names]}),
    )
    assert outcome.result is not None
    found = [file["name"] for file in outcome.result["files"] if file["role"] == "made"]
    assert found == ["a-mirror.png", "input-2-a-mirror.png", "input-mirror.png"]


def test_a_picture_without_a_name_gets_one(studio: Shop) -> None:
    nameless = {"sha256": picture(studio)["sha256"]}
    (outcome,) = made(studio, GenerateRequest("mirror", conditions={"input": [nameless]}))
    assert outcome.result is not None
    assert outcome.result["files"][0]["name"] == "input-mirror.png"


@pytest.mark.parametrize(
    ("request_", "suffix"),
    [
        (GenerateRequest("dots", 2, conditions={"film": "interpolation", "gif": True}), ".gif"),
        (GenerateRequest("turner", conditions={"film": "rotation"}), ".mp4"),
    ],
)
def test_a_film_is_made_and_its_frames_are_counted(
    studio: Shop, request_: GenerateRequest, suffix: str
) -> None:
    if request_.model == "turner":
        request_ = replace(request_, conditions={**request_.conditions, "input": [picture(studio)]})

    (outcome,) = made(studio, request_)

    assert outcome.result is not None, outcome.cause
    (film,) = (file for file in outcome.result["files"] if file["role"] == "made")
    assert film["name"].endswith(suffix)
    assert film["mime"] == MIMES[suffix]
    assert studio.told[0] == (1, 48)


def test_a_picture_that_cannot_be_read_is_said_by_its_name_and_not_tried_again(studio: Shop) -> None:
    path = studio.folder / "notes.txt"
    path.write_text("no picture", encoding="utf-8")
    broken = {"sha256": studio.put(path), "name": "notes.png"}

    (outcome,) = made(studio, GenerateRequest("mirror", conditions={"input": [broken]}))

    assert outcome.final
    assert outcome.cause is not None
    assert outcome.cause["code"] == "unsupported"
    assert str(studio.media.folder) not in outcome.cause["message"]


def test_a_clip_is_no_picture(studio: Shop, clip: Path) -> None:
    (outcome,) = made(
        studio,
        GenerateRequest("mirror", conditions={"input": [{"sha256": studio.put(clip), "name": "c.mp4"}]}),
    )
    assert outcome.cause is not None
    assert outcome.cause["message"] == "c is a video. Hand in a picture."


def test_a_detector_makes_nothing(studio: Shop) -> None:
    with pytest.raises(UsageError, match="is a detector"):
        generator(load_settings(), "touchstone-detector")
