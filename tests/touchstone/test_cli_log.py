"""`touchstone log`, and scans that are logged, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provenance.transparency.notes import SecretKey
from tests.command_line import Touchstone, write_picture
from tests.schema_check import faults

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "scan.schema.json").read_text())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    return write_picture(tmp_path / "media" / "Jane Doe.png", 6, side=64)


@pytest.fixture
def verdict(touchstone: Touchstone, picture: Path, tmp_path: Path) -> Path:
    """A logged report, as it was printed."""
    ran = touchstone("scan", picture, "--log", "--json", "--html", tmp_path / "verdict.html")
    assert ran.code == 0, ran.err
    path = tmp_path / "verdict.json"
    path.write_text(ran.out)
    return path


@pytest.fixture
def public(touchstone: Touchstone, tmp_path: Path, verdict: Path) -> Path:
    path = tmp_path / "log.pub"
    path.write_text(touchstone("log", "key").out)
    return path


def test_a_logged_report_carries_its_proof_as_json_and_as_a_page_and_holds_anywhere(
    touchstone: Touchstone,
    verdict: Path,
    public: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = json.loads(verdict.read_text())
    assert faults(report, SCHEMA) == []
    assert "Jane" not in json.dumps(report["provenance"]["log"]["entry"])
    assert touchstone("log", "verify", verdict).code == 0  # with the key of this machine
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path / "elsewhere"))

    told = touchstone("log", "verify", verdict, tmp_path / "verdict.html", "--key", public)

    assert told.code == 0
    assert told.out.count("Holds: entry 0 of 1 in touchstone-log/") == 2
    assert "Says: fake" in told.out
    assert "In the transparency log" in (tmp_path / "verdict.html").read_text()
    assert not (tmp_path / "elsewhere").exists()
    nobody = touchstone("log", "verify", verdict)
    assert nobody.code == 2
    assert "no log of its own yet" in nobody.err


def test_what_does_not_hold_what_has_none_and_what_cannot_be_read_have_codes_of_their_own(
    touchstone: Touchstone, verdict: Path, public: Path, picture: Path, tmp_path: Path
) -> None:
    report = json.loads(verdict.read_text())
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps({**report, "verdict": "real"}))
    bare = tmp_path / "bare.json"
    bare.write_text(touchstone("scan", picture, "--json").out)

    broken = touchstone("log", "verify", edited, bare, verdict, "--json")

    assert broken.code == 5
    assert [row["state"] for row in broken.json] == ["broken", "none", "holds"]
    assert "changed since" in broken.json[0]["message"]
    assert touchstone("log", "verify", bare).code == 4
    assert touchstone("log", "verify", tmp_path / "missing.json").code == 3
    assert touchstone("log", "verify", tmp_path / "missing.json", verdict).code == 1
    other = touchstone("log", "verify", verdict, "--key", str(SecretKey.make().public))
    assert other.code == 5
    assert "There is no signature of the key" in other.out
    assert touchstone("log", "verify", verdict, "--key", "nonsense").code == 3
    for number, text in enumerate(
        ("", "{", "[1]", "[" * 100_000, "\0", "<html>", '{"provenance":{"log":7}}')
    ):
        odd = tmp_path / f"odd-{number}.json"
        odd.write_text(text)
        assert touchstone("log", "verify", odd).code in (4, 5), text
    (tmp_path / "odd.bin").write_bytes(b"\xff\xfe")
    assert touchstone("log", "verify", tmp_path / "odd.bin").code == 5


def test_entries_are_proved_by_number_report_and_medium(
    touchstone: Touchstone, verdict: Path, picture: Path, public: Path, tmp_path: Path
) -> None:
    report = json.loads(verdict.read_text())
    plain = tmp_path / "plain.json"
    without = {name: part for name, part in report["provenance"].items() if name != "log"}
    plain.write_text(json.dumps({**report, "provenance": without}))
    proved = tmp_path / "proved.json"

    assert touchstone("log", "prove", plain, "--out", proved).code == 0
    assert json.loads(proved.read_text()) == report
    for what in (0, picture, report["media"]["sha256"]):
        alone = tmp_path / "alone.json"
        ran = touchstone("log", "prove", what, "--out", alone)
        assert ran.code == 0, ran.err
        assert touchstone("log", "verify", alone).code == 0
    other = write_picture(tmp_path / "other.png", -6, side=64)
    assert touchstone("log", "prove", other).code == 4
    assert touchstone("log", "prove", 7).code == 2
    assert touchstone("log", "prove", "nothing").code == 2
    edited = touchstone("log", "prove", plain.with_name("plain.json"))
    assert edited.code == 0
    plain.write_text(json.dumps({**report, "verdict": "real"}))
    assert "not in the log" in touchstone("log", "prove", plain).err


def test_the_log_is_shown_kept_exported_mirrored_and_checked(
    touchstone: Touchstone, verdict: Path, public: Path, picture: Path, tmp_path: Path
) -> None:
    head = tmp_path / "head.txt"
    head.write_text(touchstone("log", "head").out)
    again = touchstone("scan", picture, "--log", "--jsonl", "-")
    (tmp_path / "again.jsonl").write_text(again.out)
    shown = touchstone("log", "show", "--json").json
    assert (shown["size"], [row["verdict"] for row in shown["entries"]]) == (2, ["fake", "fake"])
    assert "2 entries, root" in touchstone("log", "show").out
    assert touchstone("log", "verify", "--head", head, "--head", tmp_path / "again.jsonl").code == 0

    mirror = tmp_path / "mirror"
    assert touchstone("log", "export", mirror).out == f"{mirror}: 2 entries, 2 new files.\n"
    files = {path.relative_to(mirror).as_posix() for path in mirror.rglob("*") if path.is_file()}
    assert files == {"checkpoint", "tile/0/000.p/2", "tile/entries/000.p/2"}
    assert (mirror / "checkpoint").read_text() == touchstone("log", "head").out
    told = touchstone("log", "verify", mirror, "--key", public, "--head", head)
    assert (told.code, "all hold" in told.out) == (0, True)

    entries = mirror / "tile/entries/000.p/2"
    whole = entries.read_bytes()
    entries.write_bytes(whole.replace(b'"fake"', b'"real"', 1))
    broken = touchstone("log", "verify", mirror)
    assert broken.code == 5
    assert "- entry_changed: Entry 0" in broken.out
    entries.write_bytes(whole[:-9])
    assert "- entry_missing: Entry 1" in touchstone("log", "verify", mirror).out
    entries.write_bytes(whole)
    (mirror / "checkpoint").write_text(head.read_text())
    cut = touchstone("log", "verify", mirror, "--head", tmp_path / "again.jsonl", "--json")
    assert [finding["code"] for finding in cut.json["findings"]][-1] == "truncated"
    (mirror / "checkpoint").unlink()
    assert "is no exported log" in touchstone("log", "verify", mirror).out


def test_scans_are_logged_only_when_asked_and_files_without_bytes_never(
    touchstone: Touchstone, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    assert touchstone("scan", picture, "--json").code == 0
    assert not (tmp_path / "data" / "log").exists()
    ran = touchstone("scan", picture, tmp_path / "missing.png", "--log", "--json")
    assert ran.code == 1
    assert ["log" in row["provenance"] for row in ran.json] == [True, False]
    assert touchstone("log", "show", "--json").json["size"] == 1


def test_a_full_tile_takes_the_place_of_its_beginnings_in_the_mirror(
    touchstone: Touchstone, verdict: Path, tmp_path: Path
) -> None:
    from provenance.transparency.canonical import canonical
    from worker.jobs.store import JobStore
    from worker.logbook import Logbook
    from worker.settings import load_settings

    mirror = tmp_path / "mirror"
    touchstone("log", "export", mirror)
    settings = load_settings()
    store = JobStore(settings.store_url)
    entry = json.loads(verdict.read_text())["provenance"]["log"]["entry"]
    rows = [canonical({**entry, "report_sha256": f"{number:064x}"}) for number in range(300)]
    Logbook(store.engine, settings).ledger.append(rows)
    store.close()

    touchstone("log", "export", mirror)

    files = {path.relative_to(mirror).as_posix() for path in (mirror / "tile").rglob("*") if path.is_file()}
    assert files == {
        "tile/0/000", "tile/0/001.p/45", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/45",
    }  # fmt: skip
    assert touchstone("log", "verify", mirror).code == 0
