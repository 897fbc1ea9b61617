"""`touchstone batch rescan`: what another detector judged last, once, and which verdicts changed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.command_line import Touchstone, write_picture
from touchstone.cli import waiting
from worker.jobs.model import Lane
from worker.jobs.store import JobStore

OLD = "0" * 64  # the sum of a detector that is not there any more


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else serves the store of a test."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def store(tmp_path: Path, touchstone: Touchstone) -> Iterator[JobStore]:
    (tmp_path / "data").mkdir()
    with closing(JobStore(f"sqlite:///{tmp_path / 'data' / 'jobs.db'}")) as opened:
        yield opened


@pytest.fixture
def scanned(touchstone: Touchstone, tmp_path: Path) -> str:
    """The batch of two fakes and a real one, by the detector in use."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for name, lean in (("a.png", 6), ("b.png", -6), ("d.png", 5)):
        write_picture(folder / name, lean, side=64)
    return touchstone("batch", "submit", "archive", "--wait").out.split()[0]


def rewrite(store: JobStore, batch: str, **said: Any) -> None:
    """Make every report of a batch one by the old detector."""
    (shard,) = store.shards(batch)
    rows = [dict(row) for row in (shard.result or {})["rows"]]
    for row in rows:
        row |= said | {"models": [{**row["models"][0], "sha256": OLD}], "engine": {"detector": "old@1"}}
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE shards SET result = ? WHERE job = ?", (json.dumps({"rows": rows}), batch)
        )


def test_a_new_detector_judges_again_what_the_old_one_did_and_lists_what_changed(
    touchstone: Touchstone, store: JobStore, scanned: str, tmp_path: Path
) -> None:
    ran = touchstone("batch", "rescan", "--wait")
    assert (ran.code, ran.out, "Nothing was judged" in ran.err) == (0, "", True)
    rewrite(store, scanned, verdict="real", fake_probability=0.25)
    files = {kind: tmp_path / f"changed.{kind}" for kind in ("csv", "jsonl", "parquet")}

    begun = touchstone("batch", "rescan").out.strip()
    ran = touchstone(
        "batch", "rescan", "--wait", *(x for kind, at in files.items() for x in (f"--{kind}", at))
    )

    assert (ran.code, ran.out.split()[0]) == (0, begun), "the batch under way is that of the same command"
    assert store.get(begun).lane is Lane.LOW
    assert "2 of 3 verdicts changed: real to fake 2" in ran.out
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert [(row["path"], row["before"], row["after"]) for row in rows] == [
        ("archive/a.png", "real", "fake"),
        ("archive/d.png", "real", "fake"),
    ]
    assert (rows[0]["fake_probability_before"], rows[0]["model_before"]) == ("0.25", "old@1")
    assert rows[0]["model_after"] == "colour@1"
    lines = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    assert pyarrow.parquet.read_table(files["parquet"]).to_pylist() == lines
    assert [line["path"] for line in lines] == [row["path"] for row in rows]

    ran = touchstone("batch", "changes", begun, "--csv", "-")
    assert ran.out.splitlines() == files["csv"].read_text().splitlines()
    assert "2 of 3 verdicts changed" in ran.err
    assert touchstone("batch", "rescan").out == ""


def test_a_medium_that_is_gone_is_tried_once(
    touchstone: Touchstone, store: JobStore, scanned: str, tmp_path: Path
) -> None:
    rewrite(store, scanned)
    (tmp_path / "archive" / "a.png").unlink()
    write_picture(tmp_path / "archive" / "b.png", 6, side=72)  # another picture now

    ran = touchstone("batch", "rescan", "--wait")

    assert ran.code == 1
    assert "1 failed (unreadable 1)" in ran.out
    assert "0 of 1 verdicts changed" in ran.out
    assert touchstone("batch", "rescan").out == ""


def test_changes_can_only_be_written_at_the_end(touchstone: Touchstone, tmp_path: Path) -> None:
    ran = touchstone("batch", "rescan", "--csv", tmp_path / "x.csv")
    assert (ran.code, "Add --wait" in ran.err) == (2, True)
