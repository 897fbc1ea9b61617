"""`touchstone batch send` against a real API: uploaded, named, interrupted, gone on with, written down."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_service import Api
from tests.command_line import Touchstone
from tests.touchstone.api.conftest import StartApi
from tests.touchstone.api.test_access import client
from touchstone.cli import sending


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files a batch, and no long looks."""
    monkeypatch.setattr(sending, "PIECE_FILES", 2)
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.02)


@pytest.fixture
def api(
    start: StartApi, tmp_path: Path, touchstone: Touchstone, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Api]:
    """A service that works on batches as they come, may reach a folder, and takes files of 100 bytes."""
    there = tmp_path / "there"
    there.mkdir()
    (there / "far.jpg").write_bytes(b"far")
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path / "data"))
    api = start(folders=str(there), max_bytes=100, data_dir=tmp_path / "service")
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            if api.service.leases.depth(["batch"])[1].ready:
                api.work_batch()

    thread = threading.Thread(target=work)
    thread.start()
    yield api
    stop.set()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five small files, one too large, one that cannot be reached."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in "abcde":
        (folder / f"{name}.jpg").write_bytes(name.encode())
    (folder / "large.jpg").write_bytes(bytes(101))
    (folder / "lost.jpg").symlink_to(folder / "nowhere")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as table:
        return list(csv.DictReader(table))


def batches(api: Api) -> list[str]:
    return [batch["id"] for batch in api.http.get("/v1/batches").json()["items"]]


def test_a_folder_goes_there_in_pieces_and_comes_back_as_one_table(
    touchstone: Touchstone, api: Api, folder: Path, tmp_path: Path
) -> None:
    ran = touchstone("batch", "send", "archive", "--url", api.url, "--csv", tmp_path / "out.csv")

    assert ran.code == 1
    assert "3 batches done: 7 of 7 media · 5 fake, 2 failed (too_large 1, unreadable 1)" in ran.out
    assert "too_large: archive/large.jpg" in ran.err
    found = rows(tmp_path / "out.csv")
    assert [row["path"] for row in found] == [
        *(f"archive/{name}.jpg" for name in "abcde"), "archive/large.jpg", "archive/lost.jpg"
    ]  # fmt: skip
    assert [row["verdict"] for row in found] == ["fake"] * 5 + [""] * 2
    sent = api.http.get("/v1/batches").json()["items"]
    assert [batch["name"] for batch in sent] == ["archive"] * 3
    assert list((tmp_path / "data" / "sent").iterdir()) == []


def test_interrupted_the_same_command_goes_on_where_it_was(
    touchstone: Touchstone, api: Api, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("batch", "send", "archive", "--url", api.url, "--csv", tmp_path / "out.csv")

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sending.Sending, "look", killed)
        ran = touchstone(*command)
    assert (ran.code, "same command goes on" in ran.err) == (130, True)
    (first,) = batches(api)
    (folder / "aa.jpg").write_bytes(b"new")

    ran = touchstone(*command)

    assert "Going on with what was sent before" in ran.err
    assert "3 batches done: 8 of 8 media" in ran.out
    assert batches(api)[-1] == first
    sent = [row["path"].removeprefix("archive/") for row in rows(tmp_path / "out.csv")]
    assert sent[:6] == ["a.jpg", "b.jpg", "aa.jpg", "c.jpg", "d.jpg", "e.jpg"]


def test_what_was_sent_but_not_written_down_is_taken_once(
    touchstone: Touchstone, api: Api, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sending.Sending, "_note", killed)
        touchstone("batch", "send", "archive", "--url", api.url)
    assert len(batches(api)) == 1

    touchstone("batch", "send", "archive", "--url", api.url)

    assert len(batches(api)) == 3


def test_what_the_service_reaches_itself_is_only_named(
    touchstone: Touchstone, api: Api, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    (tmp_path / "list.csv").write_text(f"path,client_ref\n{there}/far.jpg,one\n/etc/passwd,two\nshort\n")

    ran = touchstone(
        "batch", "send", "list.csv", there, "--there", "--url", api.url, "--csv", tmp_path / "out.csv"
    )

    assert ran.code == 1
    assert [(row["client_ref"], row["status"], row["reason"]) for row in rows(tmp_path / "out.csv")] == [
        ("one", "ok", ""), ("two", "unable", "bad_row"), ("", "ok", ""), ("", "unable", "bad_row"),
    ]  # fmt: skip
    assert "row 3" in ran.err


def test_a_key_is_read_from_its_file_and_what_is_wrong_is_said(
    touchstone: Touchstone, api: Api, folder: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    with client(api, "red") as red:
        key.write_text(red.headers["authorization"].removeprefix("Bearer ") + "\n")
    command = ("batch", "send", "archive/a.jpg", "--url", api.url)
    refused = touchstone(*command)
    assert (refused.code, "key" in refused.err) == (3, True)

    assert touchstone(*command, "--key-file", key).code == 0

    key.write_text("")
    assert touchstone(*command, "--key-file", key).code == 2
