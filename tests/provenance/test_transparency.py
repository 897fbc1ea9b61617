"""Notes, entries and proofs by published examples, and whatever is edited in them is found."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from evidence.verdict import ModelUse, Report
from provenance.transparency.canonical import canonical
from provenance.transparency.entries import entries_of, generated, report_sha256, scanned
from provenance.transparency.errors import LogError
from provenance.transparency.keyring import Keyring
from provenance.transparency.merkle import leaf_hash
from provenance.transparency.notes import Head, PublicKey, SecretKey, peek
from provenance.transparency.proofs import Proof, check, document, with_proof
from provenance.transparency.tiles import Tree, grow

# The example of Go's golang.org/x/mod/sumdb/note, which C2SP's signed-note is written after.
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NOTE = (
    f"{TEXT}\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot"
    "pRZb6KE6RyyBwJnAM=\n"
)
# Appendix B of RFC 8785: doubles by their bits, and how they are written.
NUMBERS = {
    "0000000000000000": "0", "8000000000000000": "0", "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324", "7fefffffffffffff": "1.7976931348623157e+308",
    "4340000000000000": "9007199254740992", "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000", "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23", "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000", "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21", "3eb0c6f7a0b5ed8c": "9.999999999999997e-7", "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332", "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333", "43143ff3c1cb0959": "1424953923781206.2",
}  # fmt: skip
AT = 1_780_000_000.0


def report_of(name: str = "cat.jpg", verdict: Any = "fake") -> Report:
    """A report as a scan writes it."""
    model = ModelUse("tiny", "1.2", "ab" * 32, 0.97, 3.5)
    media = {"path": name, "sha256": "cd" * 32, "width": 64, "height": 48}
    return Report(
        "7", media, "ok", verdict=verdict, fake_probability=1.0, models=(model,), timings={"ms": 1e-5}
    )


class Shelf:
    """A small log in memory."""

    def __init__(self, entries: list[bytes]) -> None:
        self.entries = entries
        self.tiles = grow(lambda *_: b"", 0, [leaf_hash(entry) for entry in entries])
        self.tree = Tree(lambda level, number, _: self.tiles[level, number], len(entries))
        self.key = SecretKey.make()
        self.head = self.key.sign(Head(self.key.name, len(entries), self.tree.root()).text())

    def proved(self, index: int) -> dict[str, Any]:
        return document(self.entries[index], Proof(index, self.tree.inclusion(index), self.head))


@pytest.fixture
def logged() -> tuple[Shelf, dict[str, Any]]:
    """A log of five entries, and the report that the fourth is about, with its proof."""
    report = report_of().to_dict()
    others = [canonical(scanned(report_of(f"{n}.jpg").to_dict(), AT)) for n in range(4)]
    shelf = Shelf([*others[:3], canonical(scanned(report, AT)), others[3]])
    return shelf, json.loads(json.dumps(with_proof(report, shelf.proved(3))))


def test_keys_and_notes_are_those_of_other_tools() -> None:
    secret, public = SecretKey.read(SECRET), PublicKey.read(PUBLIC)

    assert secret.public == public
    assert (secret.text(), str(public)) == (SECRET + "\n", PUBLIC)
    assert secret.sign(TEXT) == NOTE
    assert public.open(NOTE) == TEXT


def test_a_note_may_carry_signatures_of_others_and_none_of_ours_may_be_wrong() -> None:
    public = PublicKey.read(PUBLIC)
    other = SecretKey.make("example.org/witness")
    line = other.sign(TEXT).rpartition("\n\n")[2]

    assert public.open(NOTE + line) == TEXT
    with pytest.raises(LogError, match="There is no signature of the key"):
        SecretKey.make("PeterNeumann").public.open(NOTE)
    with pytest.raises(LogError, match="does not hold"):
        public.open(NOTE.replace("problem,", "problems,"))


@pytest.mark.parametrize(
    "text",
    [
        "", "PeterNeumann", PUBLIC.replace("c74f", "c74e"), PUBLIC[:-4], PUBLIC.replace("Peter", "Pet er"),
        PUBLIC.replace("ARpc", "BRpc"), "+" + PUBLIC.partition("+")[2], SECRET,
    ],
)  # fmt: skip
def test_a_damaged_key_is_refused(text: str) -> None:
    with pytest.raises(LogError):
        PublicKey.read(text)


@pytest.mark.parametrize(
    "note", ["", "a\n", "a\n\n", TEXT, NOTE[:-1], NOTE.replace("\u2014 ", "- "), NOTE * 999]
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(LogError):
        PublicKey.read(PUBLIC).open(note)


@pytest.mark.parametrize("text", ["a\n1\n", "a\n01\n47DE\n", "a\n-1\nAA==\n", "\n1\nAA==\n", "a\n1\nAA==\n"])
def test_a_note_that_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(LogError):
        peek(SecretKey.read(SECRET).sign(text))


def test_a_head_must_be_of_the_log_whose_key_signed_it() -> None:
    key = SecretKey.make("example.org/log")
    head = Head("example.org/other", 0, bytes(32))
    with pytest.raises(LogError, match=r"of the log example.org/other"):
        Head.signed(key.sign(head.text()), key.public)


def test_numbers_are_written_as_the_rfc_lists_them() -> None:
    found = {bits: canonical(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() for bits in NUMBERS}
    assert found == NUMBERS
    for wrong in (float("nan"), float("inf"), 10**400):
        with pytest.raises(LogError):
            canonical(wrong)
    with pytest.raises(LogError):
        canonical({1, 2})


def test_keys_are_sorted_and_strings_written_as_the_rfc_does() -> None:
    given = {
        "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet", "1": "One",
        "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O",
    }  # fmt: skip
    values = [line.partition('":"')[2] for line in canonical(given).decode()[1:-1].split('","')]
    assert [value.partition(" ")[0].strip('"') for value in values] == [
        "Carriage", "One", "Control", "Latin", "Euro", "Emoji:", "Hebrew",
    ]  # fmt: skip
    assert canonical(['\u20ac$\u000f\nA\'B"\\\\"/\x7f', True, None, 1.0]) == (
        '["\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f",true,null,1]'.encode()
    )
    assert canonical("half \udc80") == '"half \ufffd"'.encode()


def test_an_entry_holds_hashes_verdict_model_and_time_and_no_name() -> None:
    report = report_of("Jane Doe passport.jpg").to_dict()
    ((entry),) = entries_of({"report": report}, AT)

    assert json.loads(entry) == {
        "schema": "touchstone.log/1",
        "kind": "scan",
        "time": "2026-05-28T20:26:40Z",
        "media_sha256": "cd" * 32,
        "report_sha256": report_sha256(report),
        "status": "ok",
        "verdict": "fake",
        "models": [{"version": "1.2", "sha256": "ab" * 32}],
    }
    assert b"Jane" not in entry
    row = {
        "path": "x.png",
        "sha256": "ef" * 32,
        "model_sha256": "01" * 32,
        "version": "3",
        "caption": "Jane Doe",
    }
    (made,) = entries_of({"made": [generated(row)]}, AT)
    assert b"Jane" not in made
    assert json.loads(made)["kind"] == "generation"


def test_rows_that_are_about_no_medium_have_no_entry() -> None:
    nothing = Report("7", {"path": "x", "sha256": None}, "unable").to_dict()
    assert entries_of({"rows": [nothing, report_of().to_dict(), {"cut": "x"}]}, AT) == [
        canonical(scanned(report_of().to_dict(), AT))
    ]
    assert entries_of({"frames": []}, AT) == []


def test_a_report_with_its_proof_holds_with_the_key_alone(logged: tuple[Shelf, dict[str, Any]]) -> None:
    shelf, report = logged
    proved = check(report, shelf.key.public)

    assert (proved.index, proved.head.size, proved.entry["verdict"]) == (3, 5, "fake")
    assert json.loads(json.dumps(Report.from_dict(report).to_dict())) == report  # it goes through our types
    assert check(shelf.proved(0), shelf.key.public).index == 0


def _edits(value: Any) -> Any:
    """Every value next to `value` in its type: what a careful forger would put there."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield value + "x"
        if value:
            yield ("b" if value[0] != "b" else "c") + value[1:]
    elif isinstance(value, int | float):
        yield value + 1
    elif value is None:
        yield 0
    elif isinstance(value, list):
        yield [*value, None]
        for at, inside in enumerate(value):
            for edited in _edits(inside):
                yield [*value[:at], edited, *value[at + 1 :]]
    else:
        yield {**value, "more": 1}
        for name, inside in value.items():
            for edited in _edits(inside):
                yield {**value, name: edited}
            yield {other: kept for other, kept in value.items() if other != name}


def test_whatever_is_edited_in_a_report_its_entry_or_its_proof_is_found(
    logged: tuple[Shelf, dict[str, Any]],
) -> None:
    shelf, report = logged
    edited = list(_edits(report))
    assert len(edited) > 100
    for one in edited:
        with pytest.raises(LogError):
            check(one, shelf.key.public)


def test_each_character_of_a_proof_counts(logged: tuple[Shelf, dict[str, Any]]) -> None:
    shelf, report = logged
    text = report["provenance"]["log"]["proof"]
    for at in range(len(text)):
        for sign in {"A", "B", "\n", "1"} - {text[at]}:
            edited = with_proof(
                report, {**report["provenance"]["log"], "proof": text[:at] + sign + text[at + 1 :]}
            )
            with pytest.raises(LogError):
                check(edited, shelf.key.public)


def test_a_proof_of_another_report_and_another_log_s_key_are_told_apart(
    logged: tuple[Shelf, dict[str, Any]],
) -> None:
    shelf, report = logged
    with pytest.raises(LogError, match="The report is not the one that was logged"):
        check(with_proof(report, shelf.proved(1)), shelf.key.public)
    other = {**report, "media": {**report["media"], "sha256": "00" * 32}}
    with pytest.raises(LogError, match="belongs to another report: of the medium cdcd"):
        check(other, shelf.key.public)
    with pytest.raises(LogError, match="There is no signature of the key"):
        check(report, SecretKey.make().public)
    with pytest.raises(LogError, match="There is no proof"):
        check(report_of().to_dict(), shelf.key.public)


def test_extra_lines_of_a_proof_are_passed_over(logged: tuple[Shelf, dict[str, Any]]) -> None:
    shelf, report = logged
    found = report["provenance"]["log"]
    text = found["proof"].replace("\nindex", "\nextra AAAA\nindex")
    assert check({**found, "proof": text}, shelf.key.public).index == 3


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "log")
    assert ring.public() is None

    made = ring.secret("example.org/log")

    assert Keyring(tmp_path / "log").secret() == made
    assert ring.public() == made.public
    assert (tmp_path / "log" / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "log" / "key").write_text(made.text().replace("+A", "+B", 1))
    with pytest.raises(LogError):
        ring.secret()
    with pytest.raises(LogError, match="cannot be called 'a b'"):
        Keyring(tmp_path / "new").secret("a b")
    with pytest.raises(LogError, match="cannot be read"):
        Keyring(tmp_path / "log", tmp_path / "missing").public()


def test_no_head_is_signed_that_does_not_continue_the_last(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "log")
    five = Shelf([bytes([number]) for number in range(5)]).tree
    note = ring.sign(five)
    assert ring.sign(five) == note == ring.last()
    assert peek(ring.sign(Shelf([bytes([number]) for number in range(9)]).tree)).size == 9

    with pytest.raises(LogError, match="it had 9 entries, it has 5"):
        ring.sign(five)
    with pytest.raises(LogError, match="their root is another"):
        ring.sign(Shelf([bytes([number + 1]) for number in range(9)]).tree)
    assert peek(ring.last() or "").size == 9
