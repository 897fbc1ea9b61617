"""Tables of labelled pictures: files beside them or inside, and rows that cannot be understood."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from detector.readers import decoded, read
from evidence.errors import DataError, UnreadableMedia


def png(level: int) -> bytes:
    written = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), level, np.uint8)).save(written, "PNG")
    return written.getvalue()


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as file:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def levels(collection: Path) -> dict[str, tuple[str, int]]:
    """Label and grey level of each picture, by its key."""
    return {entry.key: (entry.label, int(pixels[0, 0, 0])) for entry, _, pixels in decoded(read(collection))}


def test_community_forensics_keeps_its_pictures_in_the_table(tmp_path: Path) -> None:
    rows = {
        "image_name": ["a.png", "b.png"],
        "image_data": [png(10), png(20)],
        "label": ["real", "fake"],
        "model_name": ["", "sd-15"],
        "real_source": ["coco", ""],
    }
    pyarrow.parquet.write_table(pyarrow.table(rows), tmp_path / "test.parquet", row_group_size=1)

    assert levels(tmp_path) == {"a.png": ("real", 10), "b.png": ("fake", 20)}
    real, fake = read(tmp_path / "test.parquet")
    assert (real.source, fake.generator) == ("coco", "sd-15")


def test_hugging_faces_numbers_are_read_by_the_names_they_stand_for(tmp_path: Path) -> None:
    # Their alphabetical order makes fakes 0: only the names say so.
    features = {"label": {"_type": "ClassLabel", "names": ["ai", "nature"]}}
    table = pyarrow.table(
        {"image": [{"bytes": png(1), "path": None}, {"bytes": png(2), "path": None}], "label": [0, 1]}
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    (tmp_path / "data").mkdir()
    pyarrow.parquet.write_table(table, tmp_path / "data/train-00000-of-00001.parquet")

    assert set(levels(tmp_path).values()) == {("fake", 1), ("real", 2)}
    assert {entry.split for entry in read(tmp_path)} == {""}


def test_a_parquet_manifest_may_name_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(7))
    pyarrow.parquet.write_table(pyarrow.table({"path": ["a.png"], "label": [1]}), tmp_path / "list.parquet")

    assert levels(tmp_path / "list.parquet") == {"a.png": ("fake", 7)}


def test_an_image_folder_of_hugging_face_may_label_in_its_metadata(tmp_path: Path) -> None:
    for split, level in (("train", 3), ("test", 4)):
        (tmp_path / split).mkdir()
        (tmp_path / split / "1.png").write_bytes(png(level))
    (tmp_path / "train/metadata.jsonl").write_text('{"file_name": "1.png", "label": "real"}\n')
    (tmp_path / "test/metadata.jsonl").write_text('{"file_name": "1.png", "label": "fake"}\n')

    assert levels(tmp_path) == {"train/1.png": ("real", 3), "test/1.png": ("fake", 4)}
    assert {entry.key: entry.split for entry in read(tmp_path)}["test/1.png"] == "test"


def test_a_webdataset_is_read_where_its_members_lie(tmp_path: Path) -> None:
    described = json.dumps({"label": "fake", "generator": "flux", "group": "g"}).encode()
    tar(tmp_path / "0.tar", {"s/1.png": png(5), "s/1.cls": b"0", "s/2.png": png(6), "s/2.json": described})
    tar(tmp_path / "1.tar", {"gan/1_fake/3.png": png(8), "readme.txt": b"hello"})

    assert levels(tmp_path) == {
        "s/1.png": ("real", 5),
        "s/2.png": ("fake", 6),
        "gan/1_fake/3.png": ("fake", 8),
    }
    assert [entry.generator for entry in read(tmp_path)] == ["", "flux", "gan"]


def test_a_torn_shard_gives_what_it_holds_and_is_named(tmp_path: Path) -> None:
    whole = tar(tmp_path / "0.tar", {"1.png": png(5), "1.cls": b"0", "2.png": png(6), "2.cls": b"1"})
    whole.write_bytes(whole.read_bytes()[: 512 * 5 + 100])
    said: list[str] = []

    entries = read(tmp_path, on_unlabelled=lambda error: said.append(str(error)))

    assert [entry.key for entry in entries] == ["1.png"]
    assert any("0.tar ends early" in line for line in said)


def test_a_compressed_shard_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "0.tar.gz", "w:gz") as file:
        file.addfile(tarfile.TarInfo("a"))

    with pytest.raises(DataError, match=r"unpack a compressed one"):
        read(tmp_path)


def test_rows_without_a_label_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path,label\na.png,\nb.png,real\n,fake\n", encoding="utf-8")
    said: list[str] = []

    entries = read(tmp_path, on_unlabelled=lambda error: said.append(str(error)))

    assert [entry.key for entry in entries] == ["b.png"]
    assert len(said) == 2
    assert "Row 2 of" in said[0]
    assert "a.png has no label" in said[0]
    assert "Row 4 of" in said[1]
    assert "names no file" in said[1]
    with pytest.raises(DataError, match="Row 2"):
        read(tmp_path)


def test_several_csvs_are_read_and_a_list_of_prompts_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("filename,typ\nx.png,real\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("filename,typ\ny.png,glide\n", encoding="utf-8")
    (tmp_path / "prompts.csv").write_text("name,prompt\ny.png,a cat\n", encoding="utf-8")

    assert [(entry.key, entry.generator) for entry in read(tmp_path)] == [("x.png", ""), ("y.png", "glide")]


def test_a_table_that_leaves_the_generators_folder_out_finds_its_files(tmp_path: Path) -> None:
    (tmp_path / "glide").mkdir()
    (tmp_path / "glide/y.png").write_bytes(png(1))
    (tmp_path / "b.csv").write_text("filename,typ\ny.png,glide\n", encoding="utf-8")

    assert [entry.path for entry in read(tmp_path)] == [tmp_path / "glide/y.png"]


def test_a_cell_without_a_picture_is_unreadable(tmp_path: Path) -> None:
    table = pyarrow.table({"image_data": pyarrow.array([None], pyarrow.binary()), "label": [1]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")

    with pytest.raises(UnreadableMedia, match="holds no image_data"):
        list(decoded(read(tmp_path)))


def test_a_parquet_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not at all")

    with pytest.raises(DataError, match=r"a\.parquet cannot be read"):
        read(tmp_path)
