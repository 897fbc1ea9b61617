"""A set is a function of recipe, seed and reals: however often it is killed, by however many processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector.readers import read
from evidence.errors import OutputError, UsageError
from evidence.image import decode_image
from evidence.jpeg import read_history
from exports.registry import Registry
from tests.full_disk import files_of_at_most
from tests.testsets.conftest import RECIPE, Build, plan_of, recipe_of
from testsets.build import Leaks, examine, finished, planned, put_in_place, require_sound
from testsets.recipe import Recipe
from testsets.verify import bench_of, check, chosen, rebuild, rows_of


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_forgery_has_a_twin_of_its_size_its_tables_and_its_date(
    recipe: Recipe, build: Build, tmp_path: Path
) -> None:
    part = build(recipe, tmp_path / "set")
    rows = rows_of(part)
    fakes = [row for row in rows if row["label"] == "fake"]
    assert (len(rows), len(fakes)) == (18, 12)
    for row in fakes:
        made, twin = part / row["path"], part / row["twin_of"]
        seen, real = decode_image(made)[0], decode_image(twin)[0]
        assert (seen.width, seen.height, seen.mime) == (real.width, real.height, real.mime)
        assert read_history(made.read_bytes()) == read_history(twin.read_bytes())
        assert made.stat().st_mtime == twin.stat().st_mtime
        assert made.read_bytes() != twin.read_bytes()
        if row["partial"]:
            assert decode_image(part / row["mask"])[1].shape == decode_image(made)[1].shape
    assert {row["treatment"] for row in rows} == {"", "jpeg", "screenshot"}
    assert list(check(part, rows)) == []


def test_the_detectors_reader_reads_what_is_built(recipe: Recipe, build: Build, tmp_path: Path) -> None:
    entries = read(build(recipe, tmp_path / "set"))
    assert {entry.split for entry in entries} == {"test"}
    assert len({entry.group for entry in entries}) == 6
    assert sum(entry.mask is not None for entry in entries) > 3


def test_a_chain_that_ends_in_jpeg_is_delivered_as_that_jpeg(
    recipe: Recipe, build: Build, tmp_path: Path
) -> None:
    part = build(recipe, tmp_path / "set")
    qualities = {row["quality"] for row in rows_of(part) if row["treatment"] == "jpeg"}
    assert qualities == {60}


def test_two_processes_make_the_same_bytes_as_one(recipe: Recipe, build: Build, tmp_path: Path) -> None:
    one, two = build(recipe, tmp_path / "one"), build(recipe, tmp_path / "two", workers=2)
    assert bytes_of(one) == bytes_of(two)


def test_a_build_that_was_killed_goes_on_and_ends_the_same(
    recipe: Recipe, build: Build, tmp_path: Path
) -> None:
    class Stop(Exception):
        pass

    seen: list[str] = []

    def stop(row: dict[str, Any], made: object) -> None:
        seen.append(row["path"])
        if len(seen) == 8:
            raise Stop

    whole = build(recipe, tmp_path / "whole")
    with pytest.raises(Stop):
        build(recipe, tmp_path / "half", on_row=stop)
    stray = tmp_path / "half.part" / "real" / "stray.png"
    stray.write_bytes(b"written just before the kill")
    manifest = tmp_path / "half.part" / "manifest.jsonl"
    manifest.write_text(manifest.read_text() + '{"path": "real/cut')
    assert bytes_of(build(recipe, tmp_path / "half")) == bytes_of(whole)


def test_another_seed_is_another_set_and_does_not_go_on_with_this_one(
    recipe: Recipe, build: Build, tmp_path: Path
) -> None:
    first = build(recipe, tmp_path / "first")
    other = build(recipe.of(seed=5), tmp_path / "other")
    assert {row["sha256"] for row in rows_of(first)} != {row["sha256"] for row in rows_of(other)}
    with pytest.raises(UsageError, match="another recipe, seed"):
        build(recipe.of(seed=5), tmp_path / "first")


def test_a_set_in_its_place_is_known_again_and_nothing_else_is_taken_for_it(
    recipe: Recipe, build: Build, models: Registry, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    assert not finished(planned(recipe, models), out)
    put_in_place(build(recipe, out), out)
    assert finished(planned(recipe, models), out)
    with pytest.raises(UsageError, match="holds something else"):
        finished(planned(recipe.of(seed=1), models), out)


def test_reals_that_cannot_be_used_are_named_and_left_out_with_their_forgeries(
    recipe: Recipe, reals: Path, build: Build, tmp_path: Path
) -> None:
    (reals / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    failed: list[str] = []
    alone = replace(recipe, systems=recipe.systems[:1], fakes=1)
    part = build(alone, tmp_path / "set", on_failed=lambda name, error: failed.append(name))
    assert failed == ["photos/broken.jpg"]
    assert len(rows_of(part)) == 12


def test_what_draws_faces_from_nothing_stands_beside_reals_of_its_size(
    reals: Path, models: Registry, build: Build, tmp_path: Path
) -> None:
    faces = (
        RECIPE.replace("FOLDER", str(reals)).split("[[systems]]")[0] + '[[systems]]\nname = "wgan-gp-faces"\n'
    )
    part = build(recipe_of(faces.replace("fakes = 2", "count = 2")), tmp_path / "set")
    for row in rows_of(part):
        assert row["chain"][0]["name"] == "resize"
        assert row["width"] == row["height"] >= 64


def test_splits_follow_the_group_and_a_ladder_takes_every_rung(reals: Path, models: Registry) -> None:
    text = RECIPE.replace("FOLDER", str(reals)).replace("fakes = 2", "ladder = true\nrepeats = 2")
    orders = plan_of(f"{text}[splits]\ntrain = 0.5\ntest = 0.5\n", models).orders
    assert len(orders) == 2 * 6 * 3
    by_group: dict[str, set[str]] = {}
    for order in orders:
        by_group.setdefault(order.group, set()).add(order.split)
    assert all(len(splits) == 1 for splits in by_group.values())
    assert len({order.stem for order in orders}) == len(orders)


def test_every_item_is_made_anew_from_its_row(
    recipe: Recipe, build: Build, models: Registry, tmp_path: Path
) -> None:
    part = build(recipe, tmp_path / "set", workers=2)
    rows, bench = rows_of(part), bench_of(part, models)
    assert [rebuild(bench, row) for row in chosen(rows, count=100)] == [""] * len(rows)


def test_what_was_tampered_with_or_has_changed_is_found(
    recipe: Recipe, reals: Path, build: Build, models: Registry, tmp_path: Path
) -> None:
    part = build(recipe, tmp_path / "set")
    rows = rows_of(part)
    fake = next(row for row in rows if row["label"] == "fake")
    (part / fake["path"]).write_bytes((part / fake["twin_of"]).read_bytes())
    (part / "fake" / "unknown.png").write_bytes(b"")
    assert {(fault.path, fault.what) for fault in check(part, rows)} == {
        (fake["path"], "its sha256 is not that of the manifest"),
        (fake["path"], "its date is not its twin's"),
        ("fake/unknown.png", "the manifest does not know it"),
    }
    (reals / fake["order"]["key"]).write_bytes((reals / "photo 5.jpg").read_bytes() + b" ")
    assert "has changed since" in rebuild(bench_of(part, models), fake)


def test_a_set_that_leaks_is_refused_and_says_by_what(recipe: Recipe, build: Build, tmp_path: Path) -> None:
    part = build(recipe, tmp_path / "set")
    manifest = part / "manifest.jsonl"
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["split"] = ("train", "test")[number % 2]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(Leaks, match="groups in two splits"):
        require_sound(examine(part))
    assert json.loads((part / "lint.json").read_text())["verdict"] == "failed"


def test_a_full_disk_is_told_what_was_built_stays_and_the_build_goes_on(
    recipe: Recipe, build: Build, tmp_path: Path
) -> None:
    whole = build(recipe, tmp_path / "whole")
    with files_of_at_most(14_000), pytest.raises(OutputError, match="cannot be written: File too large"):
        build(recipe, tmp_path / "full")
    told = (tmp_path / "full.part" / "manifest.jsonl").read_text()
    there = [json.loads(line) for line in told[: told.rfind("\n") + 1].splitlines()]
    assert 0 < len(there) < len(rows_of(whole))
    assert [fault.what for fault in check(tmp_path / "full.part", there) if "sha256" in fault.what] == []
    assert bytes_of(build(recipe, tmp_path / "full")) == bytes_of(whole)


def test_a_build_whose_processes_are_all_killed_goes_on_and_ends_the_same(
    reals: Path, recipe: Recipe, build: Build, tmp_path: Path
) -> None:
    file, part = tmp_path / "mine.toml", tmp_path / "set.part"
    file.write_text(RECIPE.replace("FOLDER", str(reals)))
    asked = ["testset", "build", str(file), "--out", str(tmp_path / "set"), "--workers", "2"]
    command = [sys.executable, "-m", "touchstone", *asked]
    killed = subprocess.Popen(command, start_new_session=True, cwd=Path(__file__).parents[2])
    while killed.poll() is None and not _lines_in(part / "manifest.jsonl"):
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "set").exists()
    assert bytes_of(build(recipe, tmp_path / "set")) == bytes_of(build(recipe, tmp_path / "whole"))


def _lines_in(manifest: Path) -> int:
    return len(manifest.read_text().splitlines()) if manifest.is_file() else 0
