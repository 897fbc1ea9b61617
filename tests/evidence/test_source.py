"""Why a name cannot be opened is told apart, in a sentence."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from evidence import source
from evidence.errors import EmptyMedia, LimitExceeded, UnreadableMedia
from evidence.limits import DecodeLimits
from evidence.source import open_media, read_media

LIMITS = DecodeLimits(max_bytes=100)


def test_a_plain_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"pixels")

    assert read_media(tmp_path / "a", LIMITS) == b"pixels"


def test_a_missing_file_and_a_broken_link_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")

    with pytest.raises(UnreadableMedia, match=r"gone does not exist \(any more\)"):
        open_media(tmp_path / "gone", LIMITS)
    with pytest.raises(UnreadableMedia, match=r"link is a link to .*gone, which does not exist"):
        open_media(tmp_path / "link", LIMITS)


def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "snake").symlink_to("snake")

    with pytest.raises(UnreadableMedia, match="leads back to itself"):
        open_media(tmp_path / "snake", LIMITS)


def test_a_directory_a_pipe_a_socket_and_a_device_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    named = {tmp_path: "a directory", tmp_path / "pipe": "a pipe", tmp_path / "socket": "a socket"}

    for path, noun in {**named, Path("/dev/zero"): "a device"}.items():
        with pytest.raises(UnreadableMedia, match=f"is {noun}, not a file"):
            open_media(path, LIMITS)


def test_missing_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the operating system's refusal is played to the one call that gets it.
    (tmp_path / "secret").write_bytes(b"pixels")

    def refuse(name: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(source, "_open_without_waiting", refuse)

    with pytest.raises(UnreadableMedia, match="may not be read by this user"):
        open_media(tmp_path / "secret", LIMITS)


def test_an_impossible_name_is_unreadable_not_a_crash() -> None:
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(UnreadableMedia):
            open_media(name, LIMITS)


def test_an_empty_file_and_a_large_one_are_refused_with_their_size(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(bytes(101))

    with pytest.raises(EmptyMedia, match="0 bytes"):
        open_media(tmp_path / "empty", LIMITS)
    with pytest.raises(LimitExceeded, match="101 bytes; the limit is 100"):
        open_media(tmp_path / "large", LIMITS)
