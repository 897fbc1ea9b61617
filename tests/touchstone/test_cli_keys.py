"""`touchstone keys`: a key is shown once, listed without its secret, and void when it is revoked."""

from __future__ import annotations

from tests.command_line import Touchstone


def test_a_key_is_made_listed_and_revoked(touchstone: Touchstone) -> None:
    assert touchstone("keys", "list").out == ""
    made = touchstone("keys", "add", "newsroom", "--name", "upload form", "--days", 90)
    text = made.out.strip()
    _, key, secret = text.split("_", 2)
    assert made.code == 0
    listed = touchstone("keys", "list").out
    assert listed.startswith(f"{key}  valid    newsroom         read,write")
    assert listed.endswith("used never  upload form\n")
    assert secret not in listed
    assert touchstone("keys", "revoke", key).out == f"{key} is void.\n"
    assert "  revoked  newsroom" in touchstone("keys", "list").out


def test_a_key_that_makes_no_sense_is_one_line(touchstone: Touchstone) -> None:
    for arguments in (("add", "News Room"), ("add", "desk", "--scope", "rule"), ("revoke", "nosuch")):
        ran = touchstone("keys", *arguments)
        assert ran.code == 2
        assert ran.err.startswith("touchstone: usage: ")
        assert ran.err.count("\n") == 1


def test_a_key_that_is_void_at_once_is_said_to_be_void(touchstone: Touchstone) -> None:
    touchstone("keys", "add", "desk", "--days", 0, "--scope", "admin")
    assert "  void     desk             admin" in touchstone("keys", "list").out
