"""`touchstone forge`, and where what it and `generate` make is entered."""

from __future__ import annotations

import sqlite3
from contextlib import closing
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


def test_doctor_tells_of_keys_lists_log_and_registry_and_of_a_log_that_was_cut_short(
    workshop: Touchstone, tmp_path: Path
) -> None:
    def said() -> tuple[str, str]:
        checks = workshop("doctor", "--json").json["checks"]
        (check,) = (one for one in checks if one["name"] == "provenance")
        return check["state"], check["found"]

    assert said() == (
        "works",
        "signing key not made yet; watermark key not made yet; no trust list; log and registry are empty",
    )
    assert not (tmp_path / "data" / "jobs.db").exists()
    assert workshop("generate", "shades", "--count", 2, "--out", tmp_path / "o").code == 0
    assert workshop("log", "head").code == 0
    state, found = said()
    assert (state, found.split("; ")[0]) == ("works", "signing key 0 days old")
    assert "log of 2 entries, which continues its signed head of 2; registry of 2 entries" in found
    with closing(sqlite3.connect(tmp_path / "data" / "jobs.db")) as database, database:
        database.execute("UPDATE log_state SET size = 1")
    state, found = said()
    assert (state, "does not continue its head of 2 entries" in found) == ("fails", True)


def test_what_was_generated_is_proved_by_every_mark_and_traced_after_jpeg_crop_and_stripping(
    workshop: Touchstone, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), photo_like(320, 320, 1))
    out = tmp_path / "o"
    assert workshop("generate", "mirror", "--input", tmp_path / "photo.png", "--out", out).code == 0
    (row,) = rows_of(out)
    made = out / row["path"]

    declared = workshop("verify", made, "--json").json["credentials"]
    report = workshop("scan", made, "--json").json
    stripped = tmp_path / "stripped.jpg"
    cv2.imwrite(str(stripped), cv2.imread(str(made))[16:304, 16:304], [cv2.IMWRITE_JPEG_QUALITY, 75])
    traced = workshop("trace", stripped, "--json").json["sightings"]
    found = workshop("scan", stripped, "--json").json

    assert (declared["state"], declared["source_type"]) == (
        "untrusted",
        "compositeWithTrainedAlgorithmicMedia",
    )
    assert report["verdict"] == "fake"
    assert report["provenance"]["watermark"]["present"]
    assert report["provenance"]["near_duplicates"][0]["origin"] == "generated"
    assert workshop("log", "prove", row["sha256"]).code == 0
    assert workshop("verify", stripped, "--json").json["credentials"] == {"state": "none"}
    assert "generated" in [one["origin"] for one in traced]
    assert (found["verdict"], found["decided_by"]) == ("fake", "watermark")
