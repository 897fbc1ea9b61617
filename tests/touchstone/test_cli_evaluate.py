"""`touchstone evaluate` and `touchstone lint` through the real runtime, on a small labelled folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests import tiny_detector
from tests.command_line import Touchstone, write_picture


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Eight real and eight fake pictures, in the folder layout of ForenSynths."""
    for label, lean in (("0_real", -3), ("1_fake", 3)):
        for number in range(8):
            path = tmp_path / "set" / "somegan" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = tiny_detector.picture(64, 64, lean=lean + number / 4, seed=number)
            assert cv2.imwrite(str(path), pixels[:, :, ::-1])
    return tmp_path / "set"


def test_evaluate_puts_numbers_on_real_and_fake(
    touchstone: Touchstone, labelled: Path, tmp_path: Path
) -> None:
    ran = touchstone("evaluate", labelled, "--json", "--card", tmp_path / "card.html")

    assert ran.code == 0
    (row,) = ran.json["rows"]
    assert (row["name"], row["reals"], row["fakes"], row["auc"]) == ("somegan", 8, 8, 1.0)
    assert ran.json["pooled"]["real_accuracy"] == 1.0
    assert ran.json["model"] == "colour@1"
    assert ran.out == (tmp_path / "card.json").read_text()
    page = (tmp_path / "card.html").read_text()
    assert all(word in page for word in ("somegan", "ROC", "DET", "Reliability", "Risk and coverage"))
    assert "http" not in page.replace("http-equiv", "")


def test_the_card_of_a_rerun_is_the_same_to_the_bit(
    touchstone: Touchstone, labelled: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        touchstone("evaluate", labelled, "--card", tmp_path / name / "card.html")

    for kind in ("html", "json"):
        assert (tmp_path / f"a/card.{kind}").read_bytes() == (tmp_path / f"b/card.{kind}").read_bytes()


@pytest.mark.parametrize("command", ["evaluate", "lint"])
def test_a_broken_picture_is_named_and_left_out(touchstone: Touchstone, labelled: Path, command: str) -> None:
    (labelled / "somegan" / "0_real" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    ran = touchstone(command, labelled, "--json")
    table = touchstone(command, labelled)

    assert (ran.code, table.code) == (1, 1)
    assert ran.json["left_out"] == 1
    assert ran.err.startswith("touchstone: damaged: somegan/0_real/broken.png: ")
    assert "1 file left out" in table.out


def test_the_table_of_evaluate_is_whole_where_there_is_no_terminal(
    touchstone: Touchstone, labelled: Path
) -> None:
    ran = touchstone("evaluate", labelled)

    (row,) = [line for line in ran.out.splitlines() if "pooled" in line]
    assert [cell.strip() for cell in row.split("│")[2:6]] == ["8", "8", "1.0000", "1.0000-1.0000"]


def test_evaluate_delivers_both_sides_alike_first(touchstone: Touchstone, labelled: Path) -> None:
    ran = touchstone("evaluate", labelled, "--jpeg", 60, "--resize", 0.75)

    assert ran.code == 0
    assert "somegan" in ran.out
    assert "Mean AUC over rows 1.0000" in ran.out


def test_an_evaluation_goes_on_where_it_stopped_and_says_the_same(
    touchstone: Touchstone, labelled: Path, tmp_path: Path
) -> None:
    whole = touchstone("evaluate", labelled, "--json")
    scores = tmp_path / "scores.jsonl"
    touchstone("evaluate", labelled, "--json", "--resume", scores)
    lines = scores.read_text().splitlines(keepends=True)
    scores.write_text("".join(lines[:5]) + lines[5][:20])  # as a kill would leave it

    again = touchstone("evaluate", labelled, "--json", "--resume", scores)

    assert again.out == whole.out
    assert sorted(scores.read_text().splitlines(keepends=True)) == sorted(lines)


def test_the_grid_is_part_of_table_card_and_json(
    touchstone: Touchstone, labelled: Path, tmp_path: Path
) -> None:
    options = ("--grid", 1, "--card", tmp_path / "card.html", "--resume", tmp_path / "scores.jsonl")

    table = touchstone("evaluate", labelled, *options)
    again = touchstone("evaluate", labelled, *options, "--json")

    assert (table.code, again.code) == (0, 0)
    assert "JPEG 30 4:2:0 by opencv" in table.out
    assert "of the verdicts turn under 12 harmless" in table.out
    assert "H.264 at CRF 40" in (tmp_path / "card.html").read_text()
    assert len(again.json["robustness"]["harmless"]) == 12
    assert again.json["robustness"]["pictures"] == 16


def test_scores_are_never_written_over_another_file(
    touchstone: Touchstone, labelled: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    ran = touchstone("evaluate", labelled, "--resume", tmp_path / "notes.txt")

    assert ran.code == 2
    assert "something else than scores" in ran.err
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_fakes_alone_meet_reals_from_another_folder(touchstone: Touchstone, labelled: Path) -> None:
    folder = labelled / "somegan"

    ran = touchstone("evaluate", folder / "1_fake", "--reals", folder / "0_real", "--json")

    assert (ran.json["pooled"]["reals"], ran.json["pooled"]["fakes"]) == (8, 8)
    assert ran.json["pooled"]["auc"] == 1.0


def test_somebody_elses_detector_gets_the_same_card(
    touchstone: Touchstone, labelled: Path, tmp_path: Path
) -> None:
    """The colour detector as a third party would ship it: planes of 0 to 1 in, a lean to red out."""
    weights = np.array([[16.0], [0.0], [-16.0]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input", "axes"], ["colours"], keepdims=0),
            helper.make_node("MatMul", ["colours", "weights"], ["score"]),
        ],
        "theirs",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(np.array([2, 3]), "axes"), numpy_helper.from_array(weights, "weights")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (tmp_path / "theirs.onnx").write_bytes(made.SerializeToString())
    told = '[input]\nsize = [32, 32]\nfit = "resize"\nkernel = "bilinear"\n[output]\nthreshold = 0.5\n'
    (tmp_path / "theirs.toml").write_text(told)

    ran = touchstone("evaluate", labelled, "--model", tmp_path / "theirs.onnx", "--json")

    assert ran.code == 0
    pooled = ran.json["pooled"]
    assert (pooled["auc"], pooled["real_accuracy"], pooled["fake_accuracy"]) == (1.0, 1.0, 1.0)
    assert pooled["uncertain"] == 0.0


def test_reversed_labels_are_named(touchstone: Touchstone, labelled: Path) -> None:
    folder = labelled / "somegan"

    ran = touchstone("evaluate", folder / "0_real", "--reals", folder / "1_fake")

    assert ran.code == 0
    assert "labels are reversed" in " ".join(ran.err.split())


def test_a_row_without_a_label_is_named_and_the_rest_evaluated(
    touchstone: Touchstone, labelled: Path
) -> None:
    rows = [f"{label}/{n}.png,{label[2:]}" for label in ("0_real", "1_fake") for n in range(8)]
    table = labelled / "somegan" / "list.csv"
    table.write_text("\n".join(["path,label", *rows, "0_real/0.png,", "gone.png,real"]) + "\n")

    ran = touchstone("evaluate", table, "--json")

    assert ran.code == 1
    assert ran.json["left_out"] == 2
    assert "0_real/0.png has no label" in ran.err
    assert "gone.png" in ran.err


def test_lint_finds_the_shortcut_and_fails_the_set(touchstone: Touchstone, labelled: Path) -> None:
    ran = touchstone("lint", labelled, "--json")

    # Red fakes and blue reals: the colour histogram alone tells them apart.
    leaks = {probe["name"] for probe in ran.json["probes"] if probe["leaks"]}
    assert ran.code == 1
    assert not ran.json["passed"]
    assert any("histogram" in name for name in leaks)
    assert "LEAK" in touchstone("lint", labelled).out


def test_lint_writes_its_findings_as_a_page(touchstone: Touchstone, labelled: Path, tmp_path: Path) -> None:
    touchstone("lint", labelled, "--card", tmp_path / "lint.html")

    page = (tmp_path / "lint.html").read_text()
    assert "set: failed" in page
    assert "put the low-frequency colour of the real twin back" in page


def test_lint_names_reversed_labels_and_copies_in_another_split(
    touchstone: Touchstone, labelled: Path
) -> None:
    folder = labelled / "somegan"
    for number in range(8):
        photo = cv2.imread(str(folder / "0_real" / f"{number}.png"))
        cv2.imwrite(str(folder / "0_real" / f"{number}.jpg"), photo)
    rows = [
        f"{label}/{number}.{kind},{'fake' if label == '0_real' else 'real'},{split},{label}{number}{kind}"
        for label, kind, split in (
            ("0_real", "png", "train"),
            ("1_fake", "png", "train"),
            ("0_real", "jpg", "test"),
        )
        for number in range(8)
    ]
    (folder / "list.csv").write_text("\n".join(["path,label,split,group", *rows]) + "\n")

    ran = touchstone("lint", folder, "--json")

    assert ran.code == 1
    assert len(ran.json["labels_contradicted"]) == 24
    assert ["0_real/0.png", "0_real/0.jpg"] in ran.json["lookalikes_across_splits"]


def test_lint_says_that_a_handful_is_too_few_to_tell(touchstone: Touchstone, labelled: Path) -> None:
    for path in (labelled / "somegan" / "0_real").glob("[4-7].png"):
        path.unlink()

    ran = touchstone("lint", labelled)

    assert ran.code == 3
    assert "Too few to tell: there are 4 groups of real pictures" in ran.err


def test_a_folder_without_labels_is_said_to_be_one(touchstone: Touchstone, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 1)

    for command in ("lint", "evaluate"):
        ran = touchstone(command, tmp_path)
        assert ran.code == 3
        assert "no labelled picture" in ran.err
