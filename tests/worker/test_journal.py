"""The journal of small media: on disk before their files are, and what puts them back after a power cut."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import StoreError, StoreFull
from worker import journal
from worker.journal import Journal, replay
from worker.media import MediaStore
from worker.receiving import HELD_BYTES


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media", max_bytes=1_000_000)


@pytest.fixture
def written(media: MediaStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """A journal that settles only when it is told."""
    monkeypatch.setattr(journal, "SETTLE_SECONDS", 1_000.0)
    made = Journal(media.shelf)
    yield made
    made.close()


def keep(media: MediaStore, into: Journal, *contents: bytes) -> list[StoreError | None]:
    group = [media.receive() for _ in contents]
    for receiving, data in zip(group, contents, strict=True):
        receiving.write(data)
    said = into.keep(group)
    for receiving in group:
        receiving.__exit__(None, None, None)
    return said


def journals(media: MediaStore) -> list[Path]:
    return sorted((media.folder / "journals").glob("*"))


def after_a_cut(media: MediaStore, folder: Path, *lost: str) -> MediaStore:
    """The store as the next one finds it, when the files with these sums were not on disk yet."""
    for path in media.folder.rglob("*"):
        if path.is_file() and path.name not in lost:
            copy = folder / path.relative_to(media.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return MediaStore(folder, max_bytes=1_000_000)


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_a_power_cut_took_of_kept_media_is_put_in_its_place_again(
    media: MediaStore, written: Journal, tmp_path: Path
) -> None:
    assert keep(media, written, b"a photo", b"another") == [None, None]
    assert media.path(sum_of(b"a photo")).read_bytes() == b"a photo"
    after = after_a_cut(media, tmp_path / "after", sum_of(b"a photo"))
    assert after.path(sum_of(b"a photo")).read_bytes() == b"a photo"
    assert journals(after) == []


def test_a_torn_file_is_made_whole_and_a_torn_journal_read_to_where_it_is(
    media: MediaStore, written: Journal, tmp_path: Path
) -> None:
    keep(media, written, b"a photo")
    keep(media, written, b"another")
    (log,) = journals(media)
    torn = log.read_bytes()[:-3]
    media.path(sum_of(b"a photo")).write_bytes(b"\0" * 7)
    log.write_bytes(torn)
    after = after_a_cut(media, tmp_path / "after", sum_of(b"another"))
    assert after.path(sum_of(b"a photo")).read_bytes() == b"a photo"
    assert not after.has(sum_of(b"another"))  # nobody was told that it was kept


def test_a_journal_that_is_being_written_is_left_to_its_process(media: MediaStore, written: Journal) -> None:
    keep(media, written, b"a photo")
    media.remove(sum_of(b"a photo"))
    assert replay(media.shelf) == 0
    assert len(journals(media)) == 1


def test_settled_media_need_no_journal(media: MediaStore, written: Journal) -> None:
    keep(media, written, b"a photo")
    (first,) = journals(media)
    written.settle()
    assert first not in journals(media)
    keep(media, written, b"another")
    written.close()
    assert journals(media) == []


def test_a_large_medium_goes_straight_to_its_place(media: MediaStore, written: Journal) -> None:
    large = b"x" * (HELD_BYTES + 1)
    assert keep(media, written, large, b"small") == [None, None]
    assert media.path(sum_of(large)).stat().st_size == len(large)
    (log,) = journals(media)
    assert b"small" in log.read_bytes()
    assert log.stat().st_size < HELD_BYTES


def test_where_the_journal_cannot_be_written_the_files_are_synced(
    media: MediaStore, written: Journal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    keep(media, written, b"first")
    monkeypatch.setattr(os, "fdatasync", full)
    assert keep(media, written, b"a photo") == [None]
    monkeypatch.undo()
    assert b"a photo" not in journals(media)[0].read_bytes()
    assert media.path(sum_of(b"a photo")).read_bytes() == b"a photo"
    monkeypatch.setattr(journal, "SETTLE_SECONDS", 1_000.0)
    keep(media, written, b"later")
    after = after_a_cut(media, tmp_path / "after", sum_of(b"first"), sum_of(b"later"))
    assert all(after.has(sum_of(data)) for data in (b"first", b"later"))


def test_a_full_disk_is_said_and_leaves_nothing_half(
    media: MediaStore, written: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    (said,) = keep(media, written, b"a photo")
    assert isinstance(said, StoreFull)
    assert [path for path in media.folder.rglob("*") if path.is_file()] == []


def test_bytes_that_are_there_already_stay_as_new(media: MediaStore, written: Journal) -> None:
    keep(media, written, b"a photo")
    place = media.path(sum_of(b"a photo"))
    os.utime(place, (0, 0))
    number = place.stat().st_ino
    assert keep(media, written, b"a photo") == [None]
    assert place.stat().st_ino == number
    assert place.stat().st_mtime > 0
