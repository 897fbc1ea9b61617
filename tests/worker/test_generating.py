"""Jobs of kind "generate": pictures with their origin, or why there are none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from evidence.errors import UsageError
from tests import tiny_generators
from tests.worker_service import Shop
from worker.generating import sampler
from worker.keeping import Keeper
from worker.perform import Outcome
from worker.requests import GenerateRequest, generate_job


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
        (GenerateRequest("dots", conditions={"classes": ["white"]}), "does not take classes"),
        (GenerateRequest("shades", conditions={"caption": ["red"]}), "does not take captions"),
        (GenerateRequest("shades", conditions={"classes": ["mauve"]}), "no class 'mauve'"),
        (GenerateRequest("poet"), "needs a caption"),
        (GenerateRequest("dots", conditions={"colour": "red"}), "does not take colour"),
        (GenerateRequest("mirror"), "without a picture"),
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


def test_a_generation_that_nobody_waits_for_leaves_nothing(
    studio: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Keeper, "wanted", lambda *_: False)
    assert made(studio, GenerateRequest("dots", 3)) == []
    assert [path for path in studio.media.folder.rglob("*") if path.is_file()] == []


def test_only_what_draws_from_nothing_is_a_sampler(studio: Shop) -> None:
    assert sampler(studio.settings, "dots").name == "dots"
    with pytest.raises(UsageError):
        sampler(studio.settings, "turner")
