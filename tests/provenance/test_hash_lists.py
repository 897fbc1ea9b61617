"""Lists of known media: what is taken from them, and what is said of bad rows."""

from __future__ import annotations

import pytest

from evidence.errors import UsageError
from provenance.hash_lists import BadLine, read_list
from provenance.registry import Entry

SHA, PDQ = "ab" * 32, "c3" * 32


def read(*lines: str) -> list[Entry | BadLine]:
    return list(read_list((f"{line}\n" for line in lines), "local", "known"))


def test_a_row_may_have_either_hash_or_both() -> None:
    entries = read(
        "sha256,pdq,name,note", f"{SHA.upper()},,a.jpg,", f",{PDQ},,seen in May", f"{SHA},{PDQ},b,c"
    )
    assert [entry.sha256 for entry in entries if isinstance(entry, Entry)] == [SHA, "", SHA]
    assert [len(entry.fingerprint.marks) for entry in entries if isinstance(entry, Entry)] == [0, 1, 1]
    assert entries[1] == Entry(
        "local",
        "imported",
        "",
        source="known",
        note="seen in May",
        fingerprint=entries[1].fingerprint,  # type: ignore[union-attr]
    )


def test_the_columns_of_other_tools_are_understood() -> None:
    (entry,) = read("Hash, Quality", f"{PDQ}, 87")
    assert isinstance(entry, Entry)
    assert entry.fingerprint.marks[0].hash == bytes.fromhex(PDQ)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("xyz,,", "'xyz' is no sha256 of 64 hexadecimal digits"),
        (f",{PDQ[:-1]},", "is no PDQ hash"),
        (",,90", "it has no hash"),
        (f",{PDQ},101", "'101' is no quality"),
        (f",{PDQ},-1", "'-1' is no quality"),
        (f",{PDQ},12", "quality 12 tells nothing apart"),
        (f"{SHA},{PDQ},90,more", "1 cells more"),
        ("\0,,", "is no sha256"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_the_others_are_read(row: str, problem: str) -> None:
    before, bad, after = read("sha256,pdq,quality", f"{SHA},,", row, f"{SHA},,")
    assert isinstance(bad, BadLine)
    assert bad.line == 3
    assert problem in bad.problem
    assert isinstance(before, Entry)
    assert isinstance(after, Entry)


def test_empty_lines_are_nothing() -> None:
    assert len(read("sha256", "", SHA, "  ", "")) == 1


@pytest.mark.parametrize("lines", [[], ["name,note", "a,b"], [SHA]])
def test_a_list_without_names_of_columns_is_refused(lines: list[str]) -> None:
    with pytest.raises(UsageError, match=r"names no column of hashes: '\\x1b\[31mevil, x'\."):
        read("\x1b[31mevil,x")  # what a stranger wrote never reaches the terminal as it is
    with pytest.raises(UsageError, match="names no column of hashes"):
        read(*lines)


def test_a_cell_without_end_is_a_bad_row_not_the_end_of_the_world() -> None:
    rows = read("sha256,note", f'{SHA},"' + "x" * 200_000, SHA)
    assert all(isinstance(row, BadLine | Entry) for row in rows)
    assert any(isinstance(row, BadLine) for row in rows)
