"""A reader of a room above runs in a decode child; what it does to itself it does to nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence import inquiry
from evidence.errors import DecoderCrashed, DecodeTimeout, LimitExceeded, MediaError, UnreadableMedia
from evidence.inquiry import Reader
from evidence.limits import DecodeLimits
from evidence.sandbox import DecoderPool

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children need a system that forks")

SMALL = DecodeLimits(max_pixels=30_000_000)
HOSTILE = Reader("tests.hostile_readers:Hostile", {"greeting": "hello"})


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool(SMALL, workers=1, reader=HOSTILE) as shared:
        yield shared


def _file(tmp_path: Path, word: str) -> Path:
    path = tmp_path / word
    path.write_text(f"{word} and more")
    return path


def test_a_reader_answers_from_a_child_as_it_does_inline(pool: DecoderPool, tmp_path: Path) -> None:
    path = _file(tmp_path, "fine")

    assert pool.read(path, path) == {"said": "hello fine 2", "name": str(path)}
    with DecoderPool(SMALL, reader=HOSTILE, inline=True) as inline:
        assert inline.read(path, path) == pool.read(path, path)


@pytest.mark.parametrize(
    ("word", "error", "said"),
    [
        ("crash", DecoderCrashed, "SIGABRT"),
        ("eat", LimitExceeded, "bytes of memory"),
        ("raise", DecoderCrashed, "ZeroDivisionError"),
        ("flood", DecoderCrashed, "nonsense"),
    ],
)
def test_what_a_file_does_to_its_reader_costs_one_answer(
    pool: DecoderPool, tmp_path: Path, word: str, error: type[MediaError], said: str
) -> None:
    with pytest.raises(error, match=said):
        pool.read(_file(tmp_path, word))
    assert pool.read(_file(tmp_path, "fine"))["said"] == "hello fine 1"


def test_a_reader_that_hangs_is_ended(
    pool: DecoderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inquiry, "READ_SECONDS", 0.3)

    with pytest.raises(DecodeTimeout, match=r"0\.3 s"):
        pool.read(_file(tmp_path, "hang"))
    assert pool.read(_file(tmp_path, "fine"))["said"] == "hello fine 1"


def test_a_reader_can_open_nothing_but_what_it_is_handed(pool: DecoderPool, tmp_path: Path) -> None:
    if pool.level != "seccomp+rlimits":
        pytest.skip("this kernel takes no filter")
    with pytest.raises(DecoderCrashed, match="PermissionError"):
        pool.read(_file(tmp_path, "open"))


def test_a_file_that_is_not_there_is_unreadable(pool: DecoderPool, tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia):
        pool.read(tmp_path / "missing")
