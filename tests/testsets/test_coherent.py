"""Clips of a set: twins of one codec, size, rate and length, coherent in time, made anew to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from detector.readers import read
from evidence.image import decode_image
from evidence.medium import Pixels
from evidence.video import probe_video
from evidence.video_writer import encode_clip, write_video
from exports.chance import Wish
from exports.registry import Registry
from exports.runtime import GeneratorSession
from tests.testsets.conftest import Build, plan_of, recipe_of
from testsets.build import examine
from testsets.card import write_card, write_sheets
from testsets.coherent import boxes_of, filmed
from testsets.document import RecipeError
from testsets.footage import frames_of, masks_of
from testsets.verify import bench_of, check, rebuild, rows_of
from testsets.writers import write_layouts

FRAMES = 10
HEAD = (
    f'fakes = 2\n[clips]\nframes = {FRAMES}\ncodec = ["h264", "vp9"]\n'
    '[[sources]]\nfolder = "FOLDER"\ncrop = 96\n'
)
SYSTEMS = (
    '[[systems]]\nname = ["reconstruction-haar-x4", "reconstruction-nearest-x8"]\npartial = 0.5\n'
    '[[systems]]\nname = "ganimation-faces"\nexpressions = ["smile"]\n'
)


@pytest.fixture
def videos(tmp_path: Path, make_photo: Callable[..., Pixels]) -> Path:
    """Five clips that pan over a photograph, two pixels a frame."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(5):
        view = make_photo(112, 160, number)
        write_video(
            folder / f"{number}.mp4", [view[:, 2 * at : 2 * at + 112] for at in range(16)], 24, crf=18
        )
    return folder


def of(videos: Path, more: str = "") -> str:
    return HEAD.replace("FOLDER", str(videos)) + SYSTEMS + more


def test_every_forged_clip_has_a_twin_of_its_codec_size_rate_and_length(
    videos: Path, build: Build, tmp_path: Path
) -> None:
    chain = (
        '[[chains]]\nsteps = "frame_rate:factor=0.5"\n[[chains]]\nsteps = "resize:factor=0.75,kernel=area"\n'
    )
    part = build(recipe_of(of(videos, chain)), tmp_path / "set")
    rows = rows_of(part)
    assert (len(rows), sum(row["label"] == "fake" for row in rows)) == (15, 10)
    assert list(check(part, rows)) == []
    assert {row["codec"] for row in rows} == {"h264", "vp9"}
    assert {row["frames"] for row in rows} == {FRAMES, FRAMES // 2}
    for row in rows:
        told = probe_video(part / row["path"])
        assert (told.frames, told.width, told.height) == (row["frames"], row["width"], row["height"])
        assert told.duration_seconds == pytest.approx(row["frames"] / row["frames_per_second"], abs=0.02)
        if row.get("mask"):
            masks = masks_of(part / row["mask"], row["frames"])
            assert {mask.shape for mask in masks} == {(row["height"], row["width"])}
    assert any(row.get("mask") for row in rows)


def test_every_clip_is_made_anew_from_its_row_by_any_number_of_processes(
    videos: Path, build: Build, models: Registry, tmp_path: Path
) -> None:
    recipe = replace(recipe_of(of(videos)), count=3)
    part = build(recipe, tmp_path / "set", workers=2)
    rows = rows_of(part)
    assert [rebuild(bench_of(part, models), row) for row in rows] == [""] * len(rows)
    again = rows_of(build(recipe, tmp_path / "again"))
    assert [row["sha256"] for row in again] == [row["sha256"] for row in rows]


def test_the_layouts_of_clips_are_read_back_without_loss(videos: Path, build: Build, tmp_path: Path) -> None:
    part = build(replace(recipe_of(of(videos)), count=3), tmp_path / "set")
    rows = rows_of(part)
    write_layouts(part, rows, ["deepfakebench", "csv"])
    table = read(part / "layouts" / "csv")
    assert sorted(entry.path.read_bytes() for entry in table) == sorted(
        (part / row["path"]).read_bytes() for row in rows
    )
    frames = read(part / "layouts" / "deepfakebench")
    assert len(frames) == sum(row["frames"] for row in rows)
    by_video: dict[str, list[Pixels]] = {}
    for entry in frames:
        by_video.setdefault(entry.video, []).append(decode_image(entry.path)[1])
    for row in rows:
        own = by_video[f"touchstone/{row['generator'] or 'real'}/{row['order']['stem']}"]
        assert np.array_equal(own, frames_of(part / row["path"]))
    masked = sum(row["frames"] for row in rows if row.get("mask"))
    assert sum(entry.mask is not None for entry in frames) == masked > 0


def test_a_set_of_clips_has_its_card_and_a_film_for_each_system(
    videos: Path, build: Build, tmp_path: Path
) -> None:
    part = build(recipe_of(of(videos)), tmp_path / "set")
    examine(part)
    rows = rows_of(part)
    write_sheets(part, rows)
    write_card(part, rows, forced=False)
    assert "5 real clips and 10 forgeries" in (part / "README.md").read_text()
    film = frames_of(part / "sheets" / "ganimation-faces.mp4")
    assert film[0].shape[1] == 2 * rows[0]["width"]


def test_a_still_scene_stays_still_where_it_is_forged(
    make_photo: Callable[..., Pixels], models: Registry
) -> None:
    frames = [make_photo(128, 128, 3)] * 6
    session = GeneratorSession(models.get("inpainting-photos"), "cpu", threads=1)
    made, _ = filmed(
        session, frames, np.random.default_rng(0), Wish(area=(0.1, 0.2)), seed=0, boxes=(), partial=False
    )
    assert made.made is not None
    assert not np.array_equal(made.frames[0], frames[0])
    for frame, hole in zip(made.frames, made.made, strict=True):
        assert np.array_equal(frame, made.frames[0])
        assert np.array_equal(frame[~hole], frames[0][~hole])


def test_an_expression_swells_from_the_real_and_goes_back(
    make_photo: Callable[..., Pixels], models: Registry
) -> None:
    frames = [make_photo(128, 128, 3)] * 12
    session = GeneratorSession(models.get("ganimation-faces"), "cpu", threads=1)
    wish = Wish(expressions=("smile",))
    made, words = filmed(
        session,
        frames,
        np.random.default_rng(0),
        wish,
        seed=0,
        boxes=[(10, 10, 100, 100)] * 12,
        partial=False,
    )
    change = [float(np.abs(frame.astype(int) - frames[0]).mean()) for frame in made.frames]
    assert words == {"expression": "smile"}
    assert change[0] == 0 < change[1] < change[6]
    assert change[11] < change[6]
    assert max(abs(after - before) for before, after in pairwise(change)) < change[6] / 2


def test_a_face_that_is_lost_for_some_frames_is_looked_for_on_its_way() -> None:
    frames = [np.full((64, 96, 3), number, np.uint8) for number in range(12)]

    def find(frame: Pixels) -> tuple[int, int, int, int] | None:
        number = int(frame[0, 0, 0])
        return None if number in (4, 5, 6) else (2 * number, 8, 30 + number % 2, 30 + number % 2)

    boxes = boxes_of(frames, find)
    assert {box[2:] for box in boxes} == {(boxes[0][2], boxes[0][2])}
    lefts = [box[0] for box in boxes]
    assert lefts == sorted(lefts)
    assert max(np.diff(lefts)) <= 3
    assert boxes_of(frames, lambda frame: None) == ()


@pytest.mark.parametrize("codec", ["h264", "h265", "vp9"])
def test_the_same_frames_give_the_same_file(codec: str, make_photo: Callable[..., Pixels]) -> None:
    frames = [make_photo(66, 97, number) for number in range(4)]
    assert encode_clip(frames, 25, codec, crf=24) == encode_clip(frames, 25, codec, crf=24)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[attacks]]\nname = "notch"', "Attacks change pictures, not clips"),
        ('[[systems]]\nname = "splice"', "splice forges no clips"),
        ('[[systems]]\nname = "dcgan-faces"', "forges no clips"),
    ],
)
def test_what_clips_cannot_have_is_refused_with_its_line(
    text: str, said: str, videos: Path, models: Registry
) -> None:
    with pytest.raises(RecipeError, match=rf"mine\.toml, line \d+: .*{said}"):
        plan_of(of(videos, text), models)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frames = 2", "line 2: frames is 2"),
        ('codec = "mpeg"', "line 2: There is no codec 'mpeg'.*h264"),
        ("crf = [30, 20]", r"line 2: crf is \[30, 20\]"),
        ('[[sources]]\nshards = "photos"', "line 3: There is no set of videos called 'photos'"),
    ],
)
def test_what_is_wrong_with_clips_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        recipe_of(f"[clips]\n{text}\n{SYSTEMS}")


def test_a_video_that_is_too_short_is_named_and_left_out(videos: Path, build: Build, tmp_path: Path) -> None:
    write_video(videos / "short.mp4", frames_of(videos / "0.mp4")[:4], 24)
    failed: list[str] = []
    recipe = replace(recipe_of(of(videos)), fakes=1)
    build(recipe, tmp_path / "set", on_failed=lambda name, error: failed.append(f"{name}: {error}"))
    assert failed == [
        "FOLDER/short.mp4".replace("FOLDER", "videos")
        + ": It has 4 frames; 8 are the least. Take longer videos."
    ]
