"""The media store: what is finished is there under its sum, what is not leaves nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evidence.errors import LimitExceeded, NoSuchMedium, StoreFull, StoreUnavailable
from worker.media import MediaStore
from worker.receiving import HELD_BYTES, keep_all


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media", max_bytes=1_000)


def put(media: MediaStore, data: bytes) -> str:
    with media.receive() as receiving:
        receiving.write(data[:3])
        receiving.write(data[3:])
        return receiving.finish().sha256


def files(media: MediaStore) -> list[Path]:
    return [path for path in media.folder.rglob("*") if path.is_file()]


def test_what_is_received_lies_under_its_sum(media: MediaStore) -> None:
    sha256 = put(media, b"a picture")
    assert sha256 == hashlib.sha256(b"a picture").hexdigest()
    assert media.path(sha256).read_bytes() == b"a picture"
    assert files(media) == [media.folder / sha256[:2] / sha256[2:4] / sha256]


def test_the_same_bytes_twice_are_one_file_as_new(media: MediaStore) -> None:
    sha256 = put(media, b"a picture")
    os.utime(media.path(sha256), (0, 0))
    assert put(media, b"a picture") == sha256
    assert len(files(media)) == 1
    assert media.path(sha256).stat().st_mtime > 0


def test_what_is_not_finished_leaves_nothing(media: MediaStore) -> None:
    def interrupted() -> None:
        with media.receive() as receiving:
            receiving.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert files(media) == []


def test_a_byte_over_the_cap_is_refused_and_at_the_cap_is_not(media: MediaStore) -> None:
    put(media, b"x" * 1_000)
    with media.receive() as receiving, pytest.raises(LimitExceeded, match="1000"):
        receiving.write(b"x" * 1_001)
    assert len(files(media)) == 1


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        yield


def test_a_full_disk_is_said_and_leaves_nothing(media: MediaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with full_disk(monkeypatch), pytest.raises(StoreFull, match="full"):
        put(media, b"a picture")
    assert files(media) == []


def test_one_that_cannot_be_kept_takes_none_of_its_neighbours_along(
    media: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with media.receive() as first, media.receive() as second, media.receive() as third:
        for receiving, data in ((first, b"one"), (second, b"two"), (third, b"three")):
            receiving.write(data)

        def refuse() -> None:
            raise StoreFull("The disk for media is full.")

        monkeypatch.setattr(second, "sync", refuse)
        said = keep_all([first, second, third])
    assert [type(error) for error in said] == [type(None), StoreFull, type(None)]
    assert {path.read_bytes() for path in files(media)} == {b"one", b"three"}


def test_a_name_is_given_to_bytes_that_are_on_disk_and_every_new_folder_is_synced_too(
    media: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{handle}")).relative_to(media.folder)
        steps.append("bytes" if name.parent.name == "incoming" else f"folder {name}")
        sync(handle)

    def replaced(source: Path, place: Path) -> None:
        replace(source, place)
        steps.append("name")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    sha256 = put(media, b"a picture")
    first, second = sha256[:2], sha256[2:4]
    assert steps[:2] == ["bytes", "name"]
    assert sorted(steps[2:]) == ["folder .", f"folder {first}", f"folder {first}/{second}"]
    steps.clear()
    put(media, b"a picture")
    assert steps == ["bytes", "name", f"folder {first}/{second}"]


@pytest.mark.parametrize("held", [HELD_BYTES, HELD_BYTES + 1])
def test_a_small_medium_waits_in_memory_and_a_large_one_on_disk(tmp_path: Path, held: int) -> None:
    media = MediaStore(tmp_path / "media", max_bytes=10 * HELD_BYTES)
    data = os.urandom(held)
    with media.receive() as receiving:
        receiving.write(data)
        assert len(files(media)) == (held > HELD_BYTES)
        assert receiving.read() == data
        assert media.path(receiving.finish().sha256).read_bytes() == data


@pytest.mark.parametrize("sha256", ["", "0" * 63, "../" + "0" * 61, "A" * 64, "0" * 64 + "\n"])
def test_a_name_that_is_no_sum_is_no_path(media: MediaStore, sha256: str) -> None:
    assert not media.has(sha256)
    with pytest.raises(NoSuchMedium):
        media.path(sha256)
    media.remove(sha256)


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "a/b", "a" * 129, "x\x00"])
def test_a_name_that_leads_elsewhere_is_no_artefact(media: MediaStore, name: str) -> None:
    with pytest.raises(NoSuchMedium):
        media.artefact("0123", name)
    with pytest.raises(NoSuchMedium):
        media.artefact(name, "heat.png")


def test_what_a_job_made_goes_with_it_alone(media: MediaStore) -> None:
    for job in ("one", "two"):
        media.artefact(job, "heat.png").write_bytes(b"red")
    media.forget("one")
    media.forget("one")
    assert files(media) == [media.artefact("two", "heat.png")]


def test_what_a_crash_left_behind_long_ago_is_cleared_and_a_running_upload_is_not(media: MediaStore) -> None:
    old, new = media.folder / "incoming" / "old", media.folder / "incoming" / "new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    MediaStore(media.folder, max_bytes=1_000)
    assert files(media) == [new]


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="TOUCHSTONE_MEDIA_DIR"):
        MediaStore(tmp_path / "file" / "media", max_bytes=1)
