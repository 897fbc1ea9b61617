"""sha256 of files and of streams on their way to the disk."""

from __future__ import annotations

from pathlib import Path

from evidence.digest import HashingWriter, sha256_file

# FIPS 180-4, the example message "abc".
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_sum_of_a_file_is_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")

    assert sha256_file(tmp_path / "abc") == ABC


def test_a_writer_knows_the_sum_of_what_it_wrote(tmp_path: Path) -> None:
    with HashingWriter(tmp_path / "abc") as file:
        file.write(b"a")
        file.write(b"bc")

    assert file.sha256 == ABC == sha256_file(tmp_path / "abc")
    assert file.size_bytes == 3
