"""What to scan: order, doubles, patterns, links, lists, and what cannot be listed."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from evidence.errors import UnreadableMedia, UsageError
from touchstone.cli.inputs import Input, expand, names_one_file, read_list


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.jpg", "sub/c.png", "sub/.hidden.png", ".git/d.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(items: list[Input], base: Path) -> list[str]:
    return [os.path.relpath(item.path, base) for item in items]


def test_a_folder_is_walked_in_order_of_name_without_hidden_entries(folder: Path) -> None:
    assert names(expand([str(folder)]), folder) == ["a.jpg", "b.jpg", "sub/c.png"]


def test_a_file_named_twice_is_listed_once_at_its_first_place(folder: Path) -> None:
    arguments = [str(folder / "b.jpg"), str(folder), str(folder / "sub" / ".." / "a.jpg")]

    assert names(expand(arguments), folder) == ["b.jpg", "a.jpg", "sub/c.png"]


def test_a_pattern_that_the_shell_left_alone_is_expanded(folder: Path) -> None:
    assert names(expand([str(folder / "*.jpg")]), folder) == ["a.jpg", "b.jpg"]
    assert names(expand([str(folder / "**" / "*.png")]), folder) == ["sub/c.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "[a].jpg").write_bytes(b"x")

    assert names(expand([str(folder / "[a].jpg")]), folder) == ["[a].jpg"]


def test_a_pattern_without_a_match_keeps_its_row(folder: Path) -> None:
    (item,) = expand([str(folder / "*.gif")])

    assert isinstance(item.problem, UnreadableMedia)
    assert item.path.endswith("*.gif")


def test_a_missing_file_is_left_to_the_decoder_to_complain_about(folder: Path) -> None:
    assert expand([str(folder / "missing.jpg")]) == [Input(str(folder / "missing.jpg"))]


def test_links_are_followed_broken_ones_listed_and_circles_ended(folder: Path) -> None:
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")

    assert names(expand([str(folder)]), folder) == ["a.jpg", "b.jpg", "gone.jpg", "sub/c.png"]


def test_pipes_in_a_folder_are_passed_over(folder: Path) -> None:
    os.mkfifo(folder / "aa.pipe")

    assert "aa.pipe" not in names(expand([str(folder)]), folder)


def test_a_folder_that_cannot_be_listed_has_a_row_and_its_neighbours_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = str(folder / "sub")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # permissions do not bind the administrator

    items = expand([str(folder)])

    assert names(items, folder) == ["a.jpg", "b.jpg", "sub"]
    assert "Permission denied" in str(items[-1].problem)


def test_a_link_to_itself_has_a_row_and_its_neighbours_too(folder: Path) -> None:
    (folder / "aa.jpg").symlink_to("aa.jpg")

    items = expand([str(folder)])

    assert names(items, folder) == ["a.jpg", "aa.jpg", "b.jpg", "sub/c.png"]
    assert [type(item.problem) for item in items] == [type(None), UnreadableMedia, type(None), type(None)]
    assert "symbolic links" in str(items[1].problem)


def test_what_the_system_will_not_look_at_has_a_row_and_its_neighbours_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forbidden:  # a link into a forbidden folder; permissions do not bind the administrator
        name, path = "aa", str(folder / "aa")

        def stat(self) -> os.stat_result:
            raise PermissionError(13, "Permission denied")

        is_dir = stat

    scandir = os.scandir
    monkeypatch.setattr(
        os, "scandir", lambda path: [*scandir(path), *([Forbidden()] if path == str(folder) else [])]
    )

    items = expand([str(folder)])

    assert names(items, folder) == ["a.jpg", "aa", "b.jpg", "sub/c.png"]
    assert "Permission denied" in str(items[1].problem)


def test_a_list_has_one_path_a_line_or_is_divided_by_nul(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"a b.jpg\n\nc.jpg\n")
    (tmp_path / "nul").write_bytes(b"a\nb.jpg\0c.jpg\0")

    assert read_list(str(tmp_path / "lines")) == ["a b.jpg", "c.jpg"]
    assert read_list(str(tmp_path / "nul")) == ["a\nb.jpg", "c.jpg"]


def test_a_list_comes_from_standard_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x.jpg\n")))

    assert read_list("-") == ["x.jpg"]


def test_a_list_that_cannot_be_read_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_list(str(tmp_path / "missing"))


def test_one_file_is_told_from_a_folder_a_pattern_and_two_files(folder: Path) -> None:
    file, pattern = str(folder / "a.jpg"), str(folder / "a*.jpg")

    assert names_one_file([file])
    assert names_one_file(["-"])
    assert not names_one_file([str(folder)])
    assert not names_one_file([pattern])
    assert not names_one_file([file, file])
