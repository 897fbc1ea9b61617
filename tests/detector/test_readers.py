"""Collections are read by the names of their folders and columns, whatever their order."""

from pathlib import Path

import pytest

from detector.readers import read
from evidence.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_a_forge_manifest_is_read_with_twins_and_masks(forge: Path) -> None:
    entries = {entry.key: entry for entry in read(forge)}

    assert len(entries) == 36
    partial = entries["fake/striped/0.png"]
    assert (partial.label, partial.family, partial.twin_of) == ("fake", "striped", "real/0.png")
    assert partial.mask == forge / "mask/0.png"
    assert entries["real/0.png"].mask is None
    assert {entry.split for entry in read(forge, split="cal")} == {"cal"}


def test_forensynths_folders_are_read_by_name(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "progan/cat/0_real/a.png", "progan/cat/1_fake/a.png", "gaugan/1_fake/b.jpg", "notes.txt"
    )

    found = {entry.key: (entry.label, entry.generator, entry.group) for entry in read(root)}

    assert found == {
        "gaugan/1_fake/b.jpg": ("fake", "gaugan", "gaugan/b"),
        "progan/cat/0_real/a.png": ("real", "progan", "progan/cat/a"),
        "progan/cat/1_fake/a.png": ("fake", "progan", "progan/cat/a"),
    }


def test_genimage_is_not_read_in_alphabetical_order(tmp_path: Path) -> None:
    root = touch(
        tmp_path,
        "ADM/imagenet_ai_0508_adm/val/ai/x.PNG",
        "ADM/imagenet_ai_0508_adm/val/nature/y.JPEG",
        "ADM/imagenet_ai_0508_adm/train/nature/z.JPEG",
    )

    found = {entry.path.name: (entry.label, entry.generator, entry.split) for entry in read(root)}

    assert found == {
        "x.PNG": ("fake", "ADM", "val"),
        "y.JPEG": ("real", "ADM", "val"),
        "z.JPEG": ("real", "ADM", "train"),
    }
    assert len(read(root, split="train")) == 1


def test_the_folder_of_one_generator_gives_it_its_name(tmp_path: Path) -> None:
    root = touch(tmp_path / "stylegan", "0_real/a.png", "1_fake/a.png")

    assert {entry.generator for entry in read(root)} == {"stylegan"}


def test_a_csv_may_say_typ_with_the_name_of_a_generator(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("filename,typ\nr/1.png,real\nf\\2.png,glide\n", encoding="utf-8")

    real, fake = read(tmp_path)

    assert (real.label, real.generator) == ("real", "")
    assert (fake.label, fake.generator, fake.path) == ("fake", "glide", tmp_path / "f/2.png")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.jsonl", '{"path": "a.png"}\n'),
        ("manifest.jsonl", "not json\n"),
        ("manifest.jsonl", '{"path": "a.png", "label": "perhaps"}\n'),
        ("list.csv", "file,what\na.png,real\n"),
        ("manifest.jsonl", ""),
    ],
)
def test_a_collection_that_cannot_be_understood_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")

    with pytest.raises(DataError):
        read(tmp_path)


def test_a_folder_without_known_names_is_refused_with_the_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0_real"):
        read(touch(tmp_path, "cats/1.png"))


@pytest.mark.parametrize("name", ["manifest.jsonl", "table.csv"])
def test_a_list_in_another_encoding_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("path,label\ncafé.png,real\n".encode("latin-1"))

    with pytest.raises(DataError, match=r"not in UTF-8: byte 14 is 0xe9\. Save it as UTF-8"):
        read(tmp_path)


def test_a_csv_as_a_spreadsheet_saves_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("path,label\r\ncafé.png,real\r\n".encode("utf-8-sig"))

    (entry,) = read(tmp_path)

    assert (entry.key, entry.label) == ("café.png", "real")


def test_a_csv_with_an_endless_field_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text('path,label\n"' + "x" * 200_000)

    with pytest.raises(DataError, match="quotation mark"):
        read(tmp_path)
