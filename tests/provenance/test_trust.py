"""Trust lists are files that say when they were taken; one that somebody changed is refused."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from evidence.errors import TrustError
from provenance.trust import MOST_BYTES, TrustStore
from tests.credentials import Authority

TODAY = date(2026, 11, 25)


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "trust")


@pytest.fixture(scope="module")
def pem() -> bytes:
    return Authority().pem


def test_without_lists_nobody_is_trusted(store: TrustStore) -> None:
    assert store.lists() == ()
    assert store.revoked() == frozenset()
    assert store.warnings() == ()


def test_lists_come_back_in_the_order_they_are_asked_with_text_around_certificates_left_out(
    store: TrustStore, pem: bytes
) -> None:
    store.add("stamps", "tsa", pem)
    store.add("old", "interim", pem, taken=TODAY)
    store.add("ours", "user", pem)
    added = store.add("c2pa", "official", b"# a comment\n" + pem + b"more", source="https://x", taken=TODAY)

    assert [one.name for one in store.lists()] == ["c2pa", "ours", "old", "stamps"]
    assert store.lists()[0] == added
    assert added.pem.encode() == pem
    assert (added.taken, added.source) == ("2026-11-25", "https://x")


def test_a_list_of_the_same_name_takes_the_place_and_one_can_be_removed(
    store: TrustStore, pem: bytes
) -> None:
    store.add("ours", "user", Authority("Another").pem)
    before = store.fingerprint()
    store.add("ours", "user", pem)
    assert [one.pem.encode() for one in store.lists()] == [pem]
    assert store.fingerprint() != before

    store.remove("ours")

    assert store.lists() == ()
    assert list(store.folder.glob("*.pem")) == []
    with pytest.raises(TrustError, match="no trust list called 'ours'"):
        store.remove("ours")


def test_official_lists_grow_old_after_ninety_days_and_the_frozen_one_never(
    store: TrustStore, pem: bytes
) -> None:
    for name, kind in (("c2pa", "official"), ("stamps", "tsa"), ("frozen", "interim"), ("ours", "user")):
        store.add(name, kind, pem, taken=TODAY)  # type: ignore[arg-type]

    assert store.warnings(date(2027, 2, 23)) == ()
    old = store.warnings(date(2027, 2, 24))
    assert [word for warning in old for word in ("c2pa", "stamps") if word in warning] == ["c2pa", "stamps"]
    assert "91 days old" in old[0]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("../evil", b"", "no name for a list"),
        ("", b"", "no name for a list"),
        ("empty", b"", "holds no certificate"),
        ("page", b"<html>404</html>", "holds no certificate"),
        ("huge", b"x" * (MOST_BYTES + 1), "are read"),
    ],
)
def test_what_is_no_list_is_not_kept(store: TrustStore, name: str, data: bytes, said: str) -> None:
    with pytest.raises(TrustError, match=said):
        store.add(name, "user", data)
    assert store.lists() == ()


def test_a_list_that_was_changed_or_lost_is_an_error_and_not_an_empty_list(
    store: TrustStore, pem: bytes
) -> None:
    store.add("ours", "user", pem)
    path = store.folder / "ours.pem"
    path.write_bytes(Authority("Intruder").pem)
    with pytest.raises(TrustError, match="is not the one that was added"):
        store.lists()
    path.unlink()
    with pytest.raises(TrustError, match="cannot be read"):
        store.lists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"lists": [{}]}', '{"lists": [5]}', '{"lists": "x"}', '{"lists": [{"taken": 5}]}'],
)
def test_an_index_that_is_none_is_an_error(store: TrustStore, text: str) -> None:
    store.folder.mkdir()
    (store.folder / "lists.json").write_text(text)

    with pytest.raises(TrustError, match="cannot be read"):
        store.lists()


def test_an_index_cannot_point_outside_its_folder(store: TrustStore, pem: bytes) -> None:
    store.add("ours", "user", pem)
    index = store.folder / "lists.json"
    index.write_text(index.read_text().replace('"ours"', json.dumps("../ours")))

    with pytest.raises(TrustError, match="cannot be read"):
        store.lists()


def test_revoked_serial_numbers_are_kept_in_decimal_however_they_are_given(store: TrustStore) -> None:
    before = store.fingerprint()
    store.revoke("255", reason="key\nlost")
    store.revoke("0xff")
    store.revoke("01:00")

    assert store.revoked() == {"255", "256"}
    assert (store.folder / "revoked.txt").read_text() == "255 key lost\n256\n"
    assert store.fingerprint() != before
    with pytest.raises(TrustError, match="no serial number"):
        store.revoke("the one from the news")
