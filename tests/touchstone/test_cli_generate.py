"""`touchstone generate` does what was asked, where it was asked, and refuses in a sentence what it cannot."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.media import photo_like
from evidence.image import decode_image
from evidence.medium import Pixels
from exports.editing import edit
from exports.sampling import drawn
from provenance.watermark.keys import HEAD
from tests.command_line import Touchstone, rows_of


def made(folder: Path, row: dict[str, Any]) -> Pixels:
    return decode_image(folder / row["path"])[1]


def test_classes_are_named_or_numbered_and_come_in_turn(workshop: Touchstone, tmp_path: Path) -> None:
    out = tmp_path / "o"
    asked = ("--class", "White", "--class", 0, "--count", 4, "--grid")
    assert workshop("generate", "shades", *asked, "--out", out).code == 0
    rows = rows_of(out)
    assert [row["class"] for row in rows] == ["white", "black"] * 2
    assert [int(made(out, row).mean()) for row in rows] == [255, 0] * 2
    assert decode_image(out / "shades-0-grid.png")[1].shape == (32, 32, 3)  # a column for each class

    assert workshop("generate", "shades", "--count", 3, "--out", tmp_path / "all").code == 0
    assert [int(made(tmp_path / "all", row).mean()) for row in rows_of(tmp_path / "all")] == [0, 128, 255]


def test_a_caption_is_drawn_by_the_words_that_are_known(workshop: Touchstone, tmp_path: Path) -> None:
    ran = workshop("generate", "poet", "--caption", "A RED thing", "--count", 1, "--out", tmp_path / "o")
    assert ran.code == 0
    (row,) = rows_of(tmp_path / "o")
    assert row["caption"] == "A RED thing"
    assert made(tmp_path / "o", row)[0, 0].tolist() == [255, 0, 0]


def test_known_pixels_of_a_filled_picture_are_untouched(
    workshop: Touchstone, portrait: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    assert workshop("generate", "filler", "--input", portrait, "--box", "10,20,30,8", "--out", out).code == 0
    (row,) = rows_of(out)
    source, result = decode_image(portrait)[1], made(out, row)
    marked = decode_image(out / row["mask"])[1][..., 0] > 127
    assert marked.sum() == 30 * 8
    assert marked[20:28, 10:40].all()
    assert (result[marked] == 255).all()
    assert np.array_equal(result[~marked], source[~marked])
    assert row["parents"] == [decode_image(portrait)[0].sha256]


def test_a_mask_is_a_picture_of_the_same_size(workshop: Touchstone, portrait: Path, tmp_path: Path) -> None:
    mask = np.zeros((80, 96), np.uint8)
    mask[:5] = 255
    assert cv2.imwrite(str(tmp_path / "m.png"), mask)
    assert cv2.imwrite(str(tmp_path / "small.png"), mask[:40])
    assert cv2.imwrite(str(tmp_path / "none.png"), mask * 0)
    asked = ("generate", "filler", "--input", portrait, "--out", tmp_path / "o", "--mask")
    assert workshop(*asked, tmp_path / "m.png").code == 0
    assert (made(tmp_path / "o", rows_of(tmp_path / "o")[0])[:5] == 255).all()
    assert "96 x 40 pixels, its picture 96 x 80" in workshop(*asked, tmp_path / "small.png").err
    assert "No pixel is marked" in workshop(*asked, tmp_path / "none.png").err
    assert "2 masks for 1 inputs" in workshop(*asked, tmp_path / "m.png", "--mask", tmp_path / "m.png").err


def test_a_picture_goes_on_where_it_was_told_to(workshop: Touchstone, portrait: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    asked = ("--side", "right", "--side", "top", "--extend", 40, "--unmarked")
    assert workshop("generate", "extender", "--input", portrait, *asked, "--out", out).code == 0
    (row,) = rows_of(out)
    result = made(out, row)
    assert result.shape == (120, 136, 3)
    assert np.array_equal(result[40:, :96], decode_image(portrait)[1])
    assert (result[:40] == 255).all()
    assert (result[:, 96:] == 255).all()


def test_a_picture_goes_on_as_far_as_one_may_be_read(
    workshop: Touchstone, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph = tmp_path / "portrait.jpg"
    assert cv2.imwrite(str(photograph), decode_image(portrait)[1])
    asked = ("generate", "extender", "--side", "right", "--out", tmp_path / "o", "--input")
    ran = workshop(*asked, photograph, "--extend", 65_405)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "65,501 x 80 pixels; a JPEG has 65,500 a side at most." in ran.err
    assert "give the picture as PNG" in ran.err

    monkeypatch.setenv("TOUCHSTONE_MAX_PIXELS", "10240")
    assert "the limit is 10,240." in workshop(*asked, portrait, "--extend", 33).err
    assert workshop(*asked, portrait, "--extend", 32).code == 0
    monkeypatch.setenv("TOUCHSTONE_MAX_PIXELS", "7679")
    assert "96 x 80 = 7,680 pixels; the limit is 7,679." in workshop(*asked, portrait).err


def test_a_picture_that_goes_on_far_can_be_stopped(
    workshop: Touchstone, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strips = iter(range(100))

    def interrupted(*given: Any, **named: Any) -> Any:
        if next(strips) == 2:
            signal.raise_signal(signal.SIGINT)
        return edit(*given, **named)

    monkeypatch.setattr("exports.editing.edit", interrupted)
    asked = ("--input", portrait, "--side", "right", "--extend", 1_000_000)
    ran = workshop("generate", "extender", *asked, "--out", tmp_path / "o")
    assert ran.code == 130
    assert ran.err == f"touchstone: Interrupted. 0 of 1 files are in {tmp_path / 'o'}.\n"
    assert next(strips) == 3


def test_a_picture_that_is_not_there_is_named_with_advice_that_fits(
    workshop: Touchstone, media: Path, tmp_path: Path
) -> None:
    asked = ("generate", "mirror", "--out", tmp_path / "o", "--input")
    ran = workshop(*asked, "none.png")
    assert (ran.code, ran.err) == (
        3,
        "touchstone: unreadable: none.png: none.png does not exist (any more). Check the name.\n",
    )
    assert "Hand in one of its frames as a picture." in workshop(*asked, media / "c-clip.mp4").err


def test_a_face_keeps_its_detail_and_what_lies_around_it(
    workshop: Touchstone, portrait: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    asked = ("--units", "AU12=0.2", "--box", "16,8,64,64")
    assert workshop("generate", "smiler", "--input", portrait, *asked, "--out", out).code == 0
    (row,) = rows_of(out)
    change = made(out, row).astype(int) - decode_image(portrait)[1]
    assert np.unique(change[20:60, 28:68]).tolist() in ([25], [26], [25, 26])  # 0.2 of a range of 2
    outside = np.ones(change.shape[:2], bool)
    outside[8:72, 16:80] = False
    assert not change[outside].any()
    assert row["box"] == [16, 8, 64, 64]


def test_the_same_command_again_changes_nothing(workshop: Touchstone, portrait: Path, tmp_path: Path) -> None:
    asked = ("generate", "turner", "--input", portrait, "--yaw", -20, "--out", tmp_path / "o")
    assert workshop(*asked).code == 0
    before = (tmp_path / "o" / "manifest.jsonl").read_text()
    assert workshop(*asked).code == 0
    assert (tmp_path / "o" / "manifest.jsonl").read_text() == before
    assert workshop("generate", "turner", "--input", portrait, "--yaw", 20, "--out", tmp_path / "o").code == 0
    assert [row["path"] for row in rows_of(tmp_path / "o")] == [
        "portrait-turner.png",
        "portrait-turner-2.png",
    ]


def test_an_input_is_never_overwritten(workshop: Touchstone, portrait: Path) -> None:
    source = portrait.rename(portrait.with_name("x.png"))
    twin = portrait.with_name("x-mirror.png")
    twin.write_bytes(source.read_bytes())
    ran = workshop("generate", "mirror", "--input", source, "--input", twin, "--out", portrait.parent)
    assert ran.code == 0
    assert twin.read_bytes() == source.read_bytes()
    names = [row["path"] for row in rows_of(portrait.parent)]
    assert names == ["x-mirror-2.png", "x-mirror-mirror.png"]


def test_a_folder_that_was_generated_gives_its_pictures_alone(
    workshop: Touchstone, portrait: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    asked = ("--input", portrait, "--box", "10,20,30,8", "--grid")
    assert workshop("generate", "filler", *asked, "--out", first).code == 0
    beside = {path.name for path in first.iterdir()}
    assert beside == {"manifest.jsonl", "mask", "portrait-filler.png", "filler-0-grid.png"}

    ran = workshop("generate", "mirror", "--input", first, "--out", second)

    assert (ran.code, ran.err) == (0, "")
    assert [row["path"] for row in rows_of(second)] == ["portrait-filler-mirror.png"]
    ran = workshop("generate", "mirror", "--input", first / "manifest.jsonl", "--out", second)
    assert "manifest.jsonl: This is" in ran.err  # named by itself, it is an error like any other text


@pytest.mark.parametrize("text", ["no rows", "[]", '{"mask": 3}', "\xff"])
def test_another_file_called_like_a_manifest_hides_nothing(
    workshop: Touchstone, portrait: Path, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "manifest.jsonl").write_text(text, encoding="latin-1")
    (folder / "a-grid.png").write_bytes(portrait.read_bytes())

    ran = workshop("generate", "mirror", "--input", folder, "--out", tmp_path / "o")

    assert ran.code == 1  # that file was left out, and said so
    assert [row["path"] for row in rows_of(tmp_path / "o")] == ["a-grid-mirror.png"]


@pytest.mark.parametrize(
    ("asked", "suffix", "frames"),
    [
        (("dots", "--film", "interpolation", "--count", 2), ".mp4", 48),
        (("dots", "--film", "interpolation", "--count", 2, "--gif"), ".gif", 48),
        (("turner", "--film", "rotation"), ".mp4", 48),
    ],
)
def test_a_film_has_its_frames(
    workshop: Touchstone, portrait: Path, tmp_path: Path, asked: tuple[object, ...], suffix: str, frames: int
) -> None:
    given = ("--input", portrait) if asked[0] == "turner" else ()
    ran = workshop("generate", *asked, *given, "--out", tmp_path / "o")
    assert ran.code == 0, ran.err
    (row,) = rows_of(tmp_path / "o")
    path = tmp_path / "o" / row["path"]
    assert path.suffix == suffix
    capture = cv2.VideoCapture(str(path))
    assert sum(1 for _ in iter(lambda: capture.read()[0], False)) == frames


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("dots", "--class", "red"), "takes no --class. It takes --count, --seed, --truncation"),
        (("dots", "--yaw", "0"), "takes no --yaw"),
        (("dots", "--yaw", "-0.0"), "takes no --yaw"),
        (("dots", "--box", ""), "takes no --box"),
        (("dots", "--units", ""), "takes no --units"),
        (("mirror", "--input", "P", "--seed", "0"), "takes no --seed"),
        (("shades", "--class", "whit"), "Did you mean white?"),
        (("shades", "--class", "7"), "a number below 3"),
        (("shades", "--truncation", "0.5"), "takes no --truncation"),
        (("poet",), "needs --caption"),
        (("poet", "--caption", ""), "empty"),
        (("poet", "--caption", "nothing known"), "It knows 2 words: red, blue."),
        (("mirror", "--count", "3", "--input", "P"), "takes no --count"),
        (("mirror", "--input", "E"), "There is no file in"),
        (("filler", "--input", "P"), "needs --mask or --box"),
        (("filler", "--input", "P", "--box", "90,0,10,10"), "not inside a picture of 96 x 80"),
        (("filler", "--input", "P", "--box", "a"), "X,Y,W,H"),
        (("extender", "--input", "P"), "needs --side"),
        (("extender", "--input", "P", "--side", "up"), "left, right, top, bottom"),
        (
            ("extender", "--input", "P", "--side", "left", "--extend", "2000000"),
            "2,000,096 x 80 = 160,007,680 pixels; the limit is 100,000,000. Take fewer pixels a side (--ext",
        ),
        (("smiler", "--input", "P"), "needs --units or --expression"),
        (("smiler", "--input", "P", "--units", "AU12=1.2"), "outside 0 to 1"),
        (("smiler", "--input", "P", "--units", "AU12"), "Write AU12=0.8, for example."),
        (("smiler", "--input", "P", "--units", "AU99=1"), "no action unit 'AU99'"),
        (("smiler", "--input", "P", "--expression", "smle"), "Did you mean smile"),
        (("turner", "--input", "P", "--yaw", "60"), "outside -45 to 45 degrees"),
        (("turner", "--input", "P", "--film", "expression"), "makes one of rotation"),
        (("dots", "--gif"), "--film"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    workshop: Touchstone, portrait: Path, tmp_path: Path, asked: tuple[str, ...], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"P": str(portrait), "E": str(tmp_path / "empty")}
    ran = workshop("generate", *(places.get(word, word) for word in asked), "--out", tmp_path / "o")
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_an_interrupted_command_keeps_what_it_has_made(
    workshop: Touchstone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: Any) -> Any:
        for number, pixels in enumerate(drawn(*given)):
            if number == 3:
                signal.raise_signal(signal.SIGINT)
            yield pixels

    monkeypatch.setattr("exports.making.drawn", interrupted)
    ran = workshop("generate", "dots", "--count", 9, "--out", tmp_path / "o")
    assert ran.code == 130
    assert "3 of 9 files are in" in ran.err
    assert len(rows_of(tmp_path / "o")) == 3


def test_what_was_generated_is_declared_and_found_again_unless_it_was_asked_for_unmarked(
    workshop: Touchstone, tmp_path: Path
) -> None:
    asked = ("generate", "dots", "--count", 1)
    assert workshop(*asked, "--out", tmp_path / "marked").code == 0
    assert workshop(*asked, "--unmarked", "--out", tmp_path / "plain").code == 0
    (marked,), (plain,) = rows_of(tmp_path / "marked"), rows_of(tmp_path / "plain")
    assert (marked["marks"], plain["marks"]) == (["xmp", "c2pa"], [])

    ran = workshop("verify", tmp_path / "marked" / marked["path"])
    assert ran.code == 0
    assert "Declared as made by a machine (trainedAlgorithmicMedia)." in ran.out
    assert workshop("verify", tmp_path / "plain" / plain["path"]).code == 4
    found = [decode_image(tmp_path / folder / marked["path"])[1] for folder in ("marked", "plain")]
    assert np.array_equal(*found)


def test_what_was_generated_is_found_again_without_its_metadata_in_a_crop(
    workshop: Touchstone, tmp_path: Path
) -> None:
    source, key = tmp_path / "photo.png", tmp_path / "data" / "watermark" / "generated"
    cv2.imwrite(str(source), photo_like(224, 224, 1))
    key.parent.mkdir(parents=True)
    key.write_text(f"{HEAD} {bytes(range(32)).hex()}\n")  # under some keys so small a picture is not read
    asked = ("generate", "mirror", "--input", source)
    assert workshop(*asked, "--out", tmp_path / "marked").code == 0
    assert workshop(*asked, "--unmarked", "--out", tmp_path / "plain").code == 0
    (marked,) = rows_of(tmp_path / "marked")
    assert marked["marks"] == ["xmp", "c2pa", "watermark"]
    for folder in ("marked", "plain"):
        cut = cv2.imread(str(tmp_path / folder / marked["path"]))[7:214, 5:219]
        cv2.imwrite(str(tmp_path / f"{folder}.jpg"), cut, [cv2.IMWRITE_JPEG_QUALITY, 80])

    found, other = (workshop("scan", tmp_path / f"{one}.jpg", "--json").json for one in ("marked", "plain"))

    assert (found["verdict"], found["decided_by"]) == ("fake", "watermark")
    assert found["provenance"]["watermark"]["payload"] == marked["model_sha256"][:16]
    assert (other["decided_by"], other["provenance"]["watermark"]["present"]) == ("detector", False)
