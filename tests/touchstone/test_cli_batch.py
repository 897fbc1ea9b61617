"""`touchstone batch`: archives through the real store and runner; nothing lost, nothing scanned twice."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.command_line import Ran, Touchstone, write_picture
from touchstone.cli import waiting
from touchstone.report.csv import COLUMNS
from worker.jobs.leases import Leases
from worker.jobs.model import ShardState
from worker.jobs.store import JobStore
from worker.requests import SHARD_ITEMS
from worker.settings import load_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two fakes, a real one, and a file that cannot be decoded."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for name, lean in (("a.png", 6), ("b.png", -6), ("d.png", 6)):
        write_picture(folder / name, lean, side=64)
    (folder / "c.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return folder


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else serves the store of a test."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)


@contextmanager
def store_in(tmp_path: Path) -> Iterator[JobStore]:
    with closing(JobStore(load_settings(data_dir=tmp_path / "data").store_url)) as store:
        yield store


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def submitted(ran: Ran) -> str:
    """The id of a batch, which stands alone on standard output."""
    assert len(ran.out.strip()) == 32, ran
    return ran.out.strip()


def test_an_archive_comes_out_as_a_scan_of_it_does_in_every_form(
    touchstone: Touchstone, folder: Path, tmp_path: Path
) -> None:
    touchstone("scan", folder, "--csv", tmp_path / "scan.csv")

    ran = touchstone("batch", "submit", folder, "--wait", "--progress", "json")

    assert ran.code == 1
    batch = ran.out.split()[0]
    assert f"{batch} done: 4 of 4 media · 2 fake, 1 real, 1 failed (damaged 1)" in ran.out
    told = [json.loads(line) for line in ran.err.splitlines()]
    assert (told[-1]["done"], told[-1]["of"], told[-1]["state"]) == (4, 4, "done")

    files = {kind: tmp_path / f"batch.{kind}" for kind in ("csv", "jsonl", "parquet")}
    ran = touchstone("batch", "results", batch, *(x for kind, f in files.items() for x in (f"--{kind}", f)))

    assert ran.code == 1
    found, scanned = rows(files["csv"].read_text()), rows((tmp_path / "scan.csv").read_text())
    compared = [name for name in COLUMNS if name != "elapsed_ms"]
    assert [[row[name] for name in compared] for row in found] == [
        [row[name] for name in compared] for row in scanned
    ]
    reports = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    assert [report["media"]["path"] for report in reports] == [row["path"] for row in found]
    table = pyarrow.parquet.read_table(files["parquet"]).to_pylist()
    assert [row["fake_probability"] for row in table] == [report["fake_probability"] for report in reports]
    assert [row["reason"] or "" for row in table] == [row["reason"] for row in found]

    assert touchstone("batch", "results", batch, "--csv", "-", "--fail-on", "fake").code == 10
    assert batch in touchstone("batch", "list").out

    write_picture(folder / "e.png", -6, side=72)
    ran = touchstone("batch", "submit", folder, "--skip-known")
    assert "3 media are known already" in ran.err
    with store_in(tmp_path) as store:
        (shard,) = store.shards(submitted(ran))
    assert [Path(item["name"]).name for item in shard.payload["items"]] == ["c.jpg", "e.png"]


def test_bad_rows_of_a_manifest_are_told_of_and_the_rest_is_taken(
    touchstone: Touchstone, folder: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        f"path,sha256,client_ref\narchive/a.png,,first\n,,second\n,{64 * 'a'},third\nhttps://example.org/x.png,,\n"
    )

    ran = touchstone("batch", "submit", manifest)

    assert ran.code == 1
    assert "3 of the items cannot be scanned" in ran.err
    assert ran.err.count("bad_row: ") == 3
    assert "not fetched from the web here" in ran.err
    with store_in(tmp_path) as store:
        (shard,) = store.shards(submitted(ran))
    first, second, third, fourth = shard.payload["items"]
    assert first == {"name": "archive/a.png", "path": str(folder / "a.png"), "client_ref": "first"}
    assert second["problem"].startswith("A row names either")
    assert third["problem"].startswith("You handed in no medium")
    assert (second["client_ref"], third["client_ref"]) == ("second", "third")
    assert fourth["name"] == "https://example.org/x.png"


def test_paths_and_json_lines_come_from_standard_input(
    touchstone: Touchstone, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (f"{folder / 'a.png'}\n{folder / 'b.png'}\n", '{"path": "a.png"}\n{"path": "b.png"}\n'):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        monkeypatch.chdir(folder)

        batch = submitted(touchstone("batch", "submit", "-"))

        with store_in(tmp_path) as store:
            (shard,) = store.shards(batch)
        assert [Path(item["path"]) for item in shard.payload["items"]] == [folder / "a.png", folder / "b.png"]


def test_the_same_command_is_the_same_batch_until_it_has_ended(
    touchstone: Touchstone, folder: Path, tmp_path: Path
) -> None:
    first = submitted(touchstone("batch", "submit", folder))
    again = touchstone("batch", "submit", folder)

    assert submitted(again) == first
    assert "Going on with batch" in again.err
    assert submitted(touchstone("batch", "submit", folder, "--keyframes")) != first

    ran = touchstone("batch", "cancel", first)
    assert f"{first} cancelled: 0 of 4 media" in ran.out
    assert submitted(touchstone("batch", "submit", folder)) != first


def test_a_key_is_one_batch_even_after_its_end(touchstone: Touchstone, folder: Path) -> None:
    first = submitted(touchstone("batch", "submit", folder, "--key", "monday"))
    touchstone("batch", "cancel", first)

    assert submitted(touchstone("batch", "submit", folder, "--key", "monday")) == first
    refused = touchstone("batch", "submit", folder / "a.png", "--key", "monday")
    assert refused.code == 3
    assert "was used for another request" in refused.err


@pytest.mark.parametrize("on", ["sqlite", "postgres"])
def test_dead_media_have_rows_with_their_cause_and_are_queued_again(
    touchstone: Touchstone,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    on: str,
) -> None:
    if on == "postgres":
        monkeypatch.setenv("TOUCHSTONE_DATABASE_URL", request.getfixturevalue("postgres_database"))
    batch = submitted(touchstone("batch", "submit", folder))
    with store_in(tmp_path) as store:
        leases = Leases(store)
        (lease,) = leases.claim("test", ["batch"])
        leases.fail(lease, {"code": "worker_died", "message": "It ended."}, final=True)

    found = json.loads(touchstone("batch", "status", batch, "--json").out)
    assert (found["state"], found["done"], found["failures"]) == ("failed", 4, {"worker_died": 4})
    ran = touchstone("batch", "results", batch, "--csv", "-")
    assert ran.code == 3
    assert [(row["status"], row["reason"]) for row in rows(ran.out)] == 4 * [("unable", "worker_died")]

    assert "4 media are queued again" in touchstone("batch", "retry", batch).out
    assert json.loads(touchstone("batch", "status", batch, "--json").out)["done"] == 0
    assert "0 media are queued again" in touchstone("batch", "retry", batch).out


def test_what_makes_no_sense_is_said_before_anything_is_kept(
    touchstone: Touchstone, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submitted(touchstone("batch", "submit", folder))
    (tmp_path / "odd.csv").write_text("file\na.png\n")
    (tmp_path / "empty").mkdir()
    for arguments, code, said in (
        (["submit", "https://example.org/a.png"], 2, "TOUCHSTONE_FETCH_WEB"),
        (["submit", "nosuch://bucket/folder"], 2, "cannot be read here"),
        (["submit", tmp_path / "odd.csv"], 2, "columns are file"),
        (["submit", tmp_path / "empty"], 2, "no items"),
        (["submit", folder, "--keyframes", "--every", "1"], 2, "exclude each other"),
        (["submit", folder, "--model", "nobody"], 3, "nobody"),
        (["status", "0" * 32], 3, "no job"),
        (["results", batch], 2, "No file for the results"),
    ):
        ran = touchstone("batch", *arguments)
        assert (ran.code, said in ran.err) == (code, True), ran
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ran = touchstone("batch", "results", batch, "--parquet", tmp_path / "x.parquet")
    assert (ran.code, "touchstone[archives]" in ran.err) == (2, True)
    assert len(touchstone("batch", "list").out.splitlines()) == 1


def test_killed_in_the_middle_the_same_command_goes_on_where_it_was(
    folder: Path, models_folder: Path, tmp_path: Path, touchstone: Touchstone
) -> None:
    for number in range(20 * SHARD_ITEMS):
        os.link(folder / "a.png", folder / f"x{number}.png")
    command = [sys.executable, "-m", "touchstone", "batch", "submit", str(folder), "--wait"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
    ) as process:
        batch, done = "", {}
        while process.poll() is None and not done:
            time.sleep(0.05)
            listed = touchstone("batch", "list").out.split()
            if listed:
                batch = listed[0]
                with store_in(tmp_path) as store:
                    done = {s.position: s.result for s in store.shards(batch, state=ShardState.DONE)}
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert done
    with store_in(tmp_path) as store:
        assert not store.get(batch).state.ended, "killed too late to tell anything"

    ran = touchstone("batch", "submit", folder, "--wait")

    assert f"{batch} done: {20 * SHARD_ITEMS + 4} of" in ran.out
    with store_in(tmp_path) as store:
        after = store.shards(batch)
        assert all(after[position].result == result for position, result in done.items())
    listed = [row["path"] for row in rows(touchstone("batch", "results", batch, "--csv", "-").out)]
    assert listed == sorted(str(path) for path in folder.iterdir())


def test_ctrl_c_says_how_far_it_is_and_how_to_go_on(
    touchstone: Touchstone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_as_json", lambda standing: signal.raise_signal(signal.SIGINT))

    ran = touchstone("batch", "submit", folder, "--wait", "--progress", "json")

    assert ran.code == 130
    assert "0 of 4 media are done" in ran.err
    assert "touchstone batch cancel" in ran.err
