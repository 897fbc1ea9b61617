"""One file's credentials by way of the sandbox: whatever the file does, there is a finding."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.signable import make
from evidence.errors import DecoderCrashed, UnreadableMedia
from evidence.inquiry import Reader
from evidence.limits import DecodeLimits
from evidence.sandbox import DecoderPool
from evidence.wire import Message
from provenance.c2pa import UNREADABLE
from provenance.examine import Declared, examine, reader, sidecar_of
from provenance.signing import Statement, sign_file
from provenance.trust import TrustStore
from tests.credentials import Authority, codes, key_of, signed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children need a system that forks")

SMALL = DecodeLimits(max_pixels=30_000_000)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def pool(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecoderPool]:
    trust = TrustStore(tmp_path_factory.mktemp("trust"))
    trust.add("tests", "user", authority.pem)
    with DecoderPool(SMALL, workers=1, reader=reader(trust)) as shared:
        yield shared


def test_a_child_says_what_is_said_without_one(
    pool: DecoderPool, authority: Authority, tmp_path: Path
) -> None:
    for mime in ("image/jpeg", "image/png", "video/mp4", "audio/flac"):
        path = tmp_path / "medium"  # its name says nothing
        path.write_bytes(signed(make(mime), mime, key_of(authority.issue())))

        declared = examine(pool, str(path))

        assert declared.mime == mime
        assert (declared.credentials.state, declared.credentials.trust_list) == ("trusted", "tests")


def test_the_bytes_decide_and_not_the_name(pool: DecoderPool, authority: Authority, tmp_path: Path) -> None:
    path = tmp_path / "really.png"
    path.write_bytes(signed(make("image/jpeg"), "image/jpeg", key_of(authority.issue())))

    assert examine(pool, str(path)).credentials.state == "trusted"


def test_a_sidecar_is_found_beside_its_file(pool: DecoderPool, authority: Authority, tmp_path: Path) -> None:
    clip = tmp_path / "clip.webm"
    clip.write_bytes(make("video/webm"))
    key = key_of(authority.issue())
    sign_file(clip, tmp_path / "clip.webm.c2pa", Statement("generated"), key)

    found = examine(pool, str(clip)).credentials

    assert (found.state, found.place) == ("trusted", "sidecar")
    (tmp_path / "clip.webm.c2pa").rename(tmp_path / "clip.c2pa")
    assert examine(pool, str(clip)).credentials == found
    clip.write_bytes(clip.read_bytes() + b"\0")
    assert examine(pool, str(clip)).credentials.state == "invalid"
    assert sidecar_of(tmp_path / "clip.c2pa") is None


@pytest.mark.parametrize("word", ["crash", "eat", "raise"])
def test_a_file_that_the_library_cannot_stand_has_unreadable_credentials(word: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.jpg"
    path.write_text(f"{word} please")

    with DecoderPool(SMALL, workers=1, reader=Reader("tests.hostile_readers:Hostile")) as pool:
        found = examine(pool, str(path)).credentials

    assert found.state == "invalid"
    assert codes(found) == [UNREADABLE]


class Killed:
    """A pool whose children are killed the first `times` that they are asked."""

    def __init__(self, pool: DecoderPool, times: int) -> None:
        self.pool, self.left = pool, times

    def read(self, *paths: str) -> Message:
        if self.left:
            self.left -= 1
            raise DecoderCrashed("The decoder ended by SIGKILL.")
        return self.pool.read(*paths)


def test_a_child_that_is_killed_by_chance_accuses_no_file(
    pool: DecoderPool, authority: Authority, tmp_path: Path
) -> None:
    medium = tmp_path / "photo.jpg"
    medium.write_bytes(signed(make("image/jpeg"), "image/jpeg", key_of(authority.issue())))
    path = str(medium)
    expected = examine(pool, path)

    assert expected.credentials.state == "trusted"
    assert examine(Killed(pool, 2), path) == expected  # type: ignore[arg-type]
    assert codes(examine(Killed(pool, 3), path).credentials) == [UNREADABLE]  # type: ignore[arg-type]


def test_files_without_anything_declare_nothing_and_missing_ones_are_errors(
    pool: DecoderPool, tmp_path: Path
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello")

    assert examine(pool, str(tmp_path / "empty")) == Declared()
    assert examine(pool, str(tmp_path / "text")) == Declared("application/octet-stream")
    with pytest.raises(UnreadableMedia):
        examine(pool, str(tmp_path / "missing"))
