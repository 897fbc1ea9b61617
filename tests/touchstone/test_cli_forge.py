"""`touchstone forge`, and where what it and `generate` make is entered."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from benchmarks.media import photo_like
from tests.command_line import Touchstone, rows_of


def test_forge_labels_what_chosen_generators_make_of_a_folder(
    workshop: Touchstone, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reals").mkdir()
    portrait.rename(tmp_path / "reals" / "a.png")
    (tmp_path / "reals" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    asked = ("forge", "--reals", tmp_path / "reals", "--systems", "mirror,shades")
    ran = workshop(*asked, "--out", tmp_path / "forged")
    assert ran.code == 1
    assert "broken.png" in ran.err
    assert ran.out.startswith("2 forgeries by 2 generators of 1 reals")
    rows = rows_of(tmp_path / "forged")
    assert [(row["label"], row.get("generator")) for row in rows] == [
        ("real", None),
        ("fake", "mirror"),
        ("fake", "shades"),
    ]
    assert [row.get("marks") for row in rows] == [None, ["xmp", "c2pa"], ["xmp", "c2pa"]]
    assert workshop(*asked, "--unmarked", "--out", tmp_path / "plain").code == 1
    assert [row.get("marks") for row in rows_of(tmp_path / "plain")] == [None, [], []]
    inside = workshop(*asked, "--out", tmp_path / "reals" / "forged")
    assert (inside.code, inside.err.count("\n")) == (2, 1)
    assert workshop("forge", "--reals", tmp_path / "none", "--out", tmp_path / "o").code == 2
    monkeypatch.setenv("TOUCHSTONE_MAX_PIXELS", "7679")
    small = workshop(*asked, "--out", tmp_path / "small")
    assert small.code == 3
    assert "96 x 80 = 7,680 pixels; the limit is 7,679." in small.err


def test_what_is_generated_or_forged_is_logged_and_remembered_once_however_often_it_is_run(
    workshop: Touchstone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reals, switches = tmp_path / "reals", ("TOUCHSTONE_REGISTRY", "TOUCHSTONE_TRANSPARENCY_LOG")
    reals.mkdir()
    cv2.imwrite(str(reals / "a.png"), photo_like(120, 120, 1))
    forging = ("forge", "--reals", reals, "--systems", "mirror,shades", "--out", tmp_path / "forged")
    making = ("generate", "mirror", "--input", reals / "a.png", "--out", tmp_path / "made")
    plain = ("forge", "--reals", reals, "--systems", "mirror", "--unmarked", "--out", tmp_path / "plain")
    for switch in switches:
        monkeypatch.setenv(switch, "false")
    assert workshop(*forging).code == workshop(*making).code == 0
    assert not (tmp_path / "data" / "jobs.db").exists()
    for switch in switches:
        monkeypatch.delenv(switch)

    for _ in range(2):  # the first enters what lies there from before, the second finds it entered
        assert workshop(*forging).code == workshop(*making).code == 0
    assert workshop(*plain).code == 0

    made = [row for name in ("forged", "made") for row in rows_of(tmp_path / name) if "generator" in row]
    unmarked = [row for row in rows_of(tmp_path / "plain") if "generator" in row]
    logged = workshop("log", "show", "--json").json["entries"]
    assert [one["media_sha256"] for one in logged] == [row["sha256"] for row in (*made, *unmarked)]
    assert workshop("log", "verify").code == 0
    assert workshop("registry", "list").out.split() == ["generated", "3"]
    told = workshop("trace", tmp_path / "forged" / made[0]["path"]).out
    assert f"This very file was generated here as {made[0]['path']}" in told


def test_a_database_that_cannot_be_used_costs_no_picture_and_is_said_once(
    workshop: Touchstone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    ran = workshop("generate", "shades", "--count", 3, "--out", tmp_path / "o")
    assert (ran.code, len(rows_of(tmp_path / "o"))) == (0, 3)
    assert ran.err.count("neither remembered nor logged") == 1
