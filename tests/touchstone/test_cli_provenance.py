"""`touchstone verify`, `sign` and `trust` as a person calls them: words, JSON, exit codes."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from benchmarks.signable import make
from tests.claimed_media import A1111, png_with
from tests.command_line import Touchstone, write_picture
from tests.credentials import Authority, key_of, signed
from tests.schema_check import faults

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "scan.schema.json").read_text())


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def jpg(tmp_path: Path) -> Path:
    path = tmp_path / "media" / "photo.jpg"
    path.parent.mkdir()
    path.write_bytes(make("image/jpeg"))
    return path


@pytest.fixture
def root(tmp_path: Path, authority: Authority) -> Path:
    path = tmp_path / "newsroom.pem"
    path.write_bytes(authority.pem)
    return path


def test_a_file_signed_here_verifies_here_and_says_whose_word_it_is(
    touchstone: Touchstone, jpg: Path
) -> None:
    signing = touchstone("sign", jpg, "--as", "generated")
    assert signing.code == 0
    assert signing.out == f"{jpg.with_name('photo.signed.jpg')}\n"
    assert "which no trust list knows" in signing.err

    told = touchstone("verify", jpg.with_name("photo.signed.jpg"))

    assert told.code == 0
    assert "signed by somebody no trust list knows" in told.out
    assert "Declared as made by a machine (trainedAlgorithmicMedia)." in told.out
    assert "Touchstone development (untrusted)" in told.out
    assert touchstone("verify", jpg).code == 4
    assert "No Content Credentials." in touchstone("verify", jpg).out


def test_the_states_are_told_apart_by_list_json_and_code(
    touchstone: Touchstone, jpg: Path, root: Path, authority: Authority
) -> None:
    data = signed(jpg.read_bytes(), "image/jpeg", key_of(authority.issue()))
    jpg.write_bytes(data)
    assert touchstone("verify", jpg, "--json").json["credentials"]["state"] == "untrusted"
    found = touchstone("verify", jpg, "--json", "--trust", root).json["credentials"]
    assert (found["state"], found["trust_list"]) == ("trusted", "newsroom")

    assert touchstone("trust", "add", root).code == 0
    found = touchstone("verify", jpg, "--json").json["credentials"]
    assert found["state"] == "trusted"
    assert touchstone("trust", "list").out.startswith("newsroom  user  1 certificates  taken ")
    touchstone("trust", "revoke", found["manifest"]["signer"]["serial"])
    revoked = touchstone("verify", jpg)
    assert revoked.code == 5
    assert "whose certificate was revoked" in revoked.out
    assert "1 certificates are marked as revoked." in touchstone("trust", "list").out

    touchstone("trust", "remove", "newsroom")
    broken = bytearray(data)
    broken[-40] ^= 1
    jpg.write_bytes(broken)
    told = touchstone("verify", jpg)
    assert told.code == 5
    assert "do not hold: " in told.out
    assert "- assertion.dataHash.mismatch" in told.out


def test_many_files_are_an_array_and_one_that_is_missing_costs_nobody_else(
    touchstone: Touchstone, jpg: Path, tmp_path: Path
) -> None:
    touchstone("sign", jpg)

    ran = touchstone("verify", jpg.parent, tmp_path / "missing.jpg", "--json")

    assert ran.code == 1
    rows = ran.json
    assert [Path(row["path"]).name for row in rows] == ["photo.jpg", "photo.signed.jpg", "missing.jpg"]
    assert rows[2]["error"]["code"] == "unreadable"
    only = touchstone("verify", tmp_path / "missing.jpg")
    assert only.code == 3
    assert only.err.startswith("touchstone: unreadable: ")


def test_a_clip_that_holds_no_manifest_is_verified_by_its_sidecar(
    touchstone: Touchstone, tmp_path: Path
) -> None:
    clip = tmp_path / "media" / "clip.webm"
    clip.parent.mkdir()
    clip.write_bytes(make("video/webm"))
    assert touchstone("sign", clip, "--as", "generated").out == f"{clip}.c2pa\n"

    told = touchstone("verify", clip.parent)

    assert told.code == 0
    assert "From a sidecar beside the file." in told.out
    assert told.out.count("clip.webm") == 2  # its name and its title; the sidecar is no medium
    alone = touchstone("verify", f"{clip}.c2pa")
    assert alone.code == 2
    assert "Name the file" in alone.err


def test_a_key_of_ones_own_is_opened_by_a_pass_phrase_from_a_file_or_the_environment(
    touchstone: Touchstone, jpg: Path, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = authority.issue()
    chain, key, word = tmp_path / "me.pem", tmp_path / "me.key", tmp_path / "word"
    chain.write_bytes(identity.chain)
    key.write_bytes(
        serialization.load_pem_private_key(identity.key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
    )
    word.write_text("sesame\n")
    sign = ("sign", jpg, "--cert", chain, "--key", key, "--out", tmp_path / "out.jpg")

    refused = touchstone(*sign)
    assert refused.code == 3
    assert refused.err.startswith("touchstone: signing: The key in ")
    assert "none was given" in refused.err
    assert touchstone(*sign, "--passphrase-file", word).code == 0
    monkeypatch.setenv("TOUCHSTONE_KEY_PASSPHRASE", "sesame")
    assert touchstone(*sign).code == 0
    monkeypatch.setenv("TOUCHSTONE_KEY_PASSPHRASE", "barley")
    assert "does not open" in touchstone(*sign).err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--out", "photo.jpg"),
        ("--key", "x.pem"),
        ("--cert", "x.pem"),
        ("--cert", "x.pem", "--key", "y.pem", "--key-command", "kms"),
        ("--report", "r.json"),
        ("--as", "generated", "--parent", "p.jpg"),
        ("--tsa", "nowhere"),
    ],
)
def test_what_does_not_fit_together_is_wrong_usage(
    touchstone: Touchstone, jpg: Path, wrong: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(jpg.parent)
    before = jpg.read_bytes()

    ran = touchstone("sign", "photo.jpg", *wrong)

    assert ran.code == 2
    assert ran.err.count("touchstone: usage: ") == 1
    assert jpg.read_bytes() == before


@pytest.fixture
def mirror(tmp_path: Path, authority: Authority) -> Iterator[tuple[str, Path]]:
    """A server with the published lists, and the folder it serves."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name in ("C2PA-TRUST-LIST.pem", "C2PA-TSA-TRUST-LIST.pem", "allowed.pem", "anchors.pem"):
        (folder / name).write_bytes(b"Subject: somebody\n" + authority.pem)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", folder
        server.shutdown()


def test_published_lists_are_taken_all_or_none(touchstone: Touchstone, mirror: tuple[str, Path]) -> None:
    address, folder = mirror
    assert "No list: every signer is untrusted." in touchstone("trust", "list").out

    assert touchstone("trust", "refresh", "--mirror", address).code == 0

    listed = touchstone("trust", "list").out.splitlines()
    assert [line.split()[:2] for line in listed] == [
        ["c2pa", "official"],
        ["interim", "interim"],
        ["interim-anchors", "interim"],
        ["c2pa-time-stamps", "tsa"],
    ]
    assert listed[0].endswith(f"{address}C2PA-TRUST-LIST.pem")
    (folder / "allowed.pem").unlink()
    failed = touchstone("trust", "refresh", "--mirror", address)
    assert failed.code == 3
    assert "Nothing was changed." in failed.err
    assert touchstone("trust", "list").out.splitlines() == listed
    assert touchstone("trust", "refresh", "nosuch").code == 2


def test_an_old_list_is_warned_about_where_it_is_used(touchstone: Touchstone, jpg: Path, root: Path) -> None:
    touchstone("trust", "add", root, "--kind", "official", "--taken", "2020-01-01")

    ran = touchstone("verify", jpg)

    assert "The trust list newsroom is" in ran.err
    assert "(old)" in touchstone("trust", "list").out
    assert touchstone("trust", "add", root, "--taken", "yesterday").code == 2


def test_a_folder_of_lists_is_added_whole_or_not_at_all(
    touchstone: Touchstone, root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()
    assert touchstone("trust", "add", folder).code == 2  # it holds none
    for name in ("one.pem", "two.CRT"):
        (folder / name).write_bytes(root.read_bytes())
    (folder / "README").write_text("whose these are")
    assert touchstone("trust", "add", folder, "--name", "all").code == 2
    bad = folder / "three.cer"
    bad.write_text("no certificate")
    ran = touchstone("trust", "add", folder)
    assert ran.code == 3
    assert f"{bad}: The trust list holds no certificate." in ran.err
    assert "No list was added." in ran.err
    assert "No list: every signer is untrusted." in touchstone("trust", "list").out
    bad.rename(folder / "one.crt")
    bad.with_name("one.crt").write_bytes(root.read_bytes())
    assert "Two files are called one." in touchstone("trust", "add", folder).err
    (folder / "one.crt").unlink()

    assert touchstone("trust", "add", folder).code == 0

    listed = touchstone("trust", "list").out.splitlines()
    assert [line.split()[:2] for line in listed] == [["one", "user"], ["two", "user"]]
    assert listed[0].endswith(str(folder / "one.pem"))


def test_what_a_signed_file_declares_decides_and_the_number_stays_that_of_the_pixels(
    touchstone: Touchstone, tmp_path: Path
) -> None:
    plain = write_picture(tmp_path / "real.png", -6)
    touchstone("sign", plain, "--as", "generated")

    unsigned = touchstone("scan", plain, "--json").json
    signed_one = touchstone("scan", tmp_path / "real.signed.png", "--json").json

    assert faults(signed_one, SCHEMA) == faults(unsigned, SCHEMA) == []
    assert unsigned["provenance"]["c2pa"] == {"state": "none"}
    found = signed_one["provenance"]["c2pa"]
    assert (found["state"], found["source_type"]) == ("untrusted", "trainedAlgorithmicMedia")
    (finding,) = [row for row in signed_one["evidence"] if row["kind"] == "c2pa"]
    assert finding["weight"] > 0
    assert "Declared as made by a machine" in finding["detail"]
    for part in ("fake_probability", "interval"):
        assert signed_one[part] == unsigned[part]
    assert (unsigned["verdict"], unsigned["decided_by"]) == ("real", "detector")
    assert (signed_one["verdict"], signed_one["decided_by"]) == ("fake", "c2pa")
    assert signed_one["reason"]["code"] == "declared"
    shown = touchstone("scan", tmp_path / "real.signed.png").out
    assert "FAKE (DECLARED)" in shown
    assert "not on its pixels" in " ".join(shown.split())


def test_a_scan_tells_claims_and_shows_them_in_the_report(touchstone: Touchstone, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(png_with("parameters", A1111))

    report = touchstone("scan", path, "--json").json
    touchstone("scan", path, "--html", tmp_path / "report.html")

    assert faults(report, SCHEMA) == []
    (claim,) = report["provenance"]["claims"]
    assert (claim["field"], claim["generator"], claim["confidence"]) == (
        "PNG parameters",
        "Stable Diffusion web UI",
        "claimed",
    )
    page = (tmp_path / "report.html").read_text()
    assert "generated by Stable Diffusion web UI, in PNG parameters" in page
    assert "No Content Credentials." in page


def test_a_file_that_cannot_be_decoded_still_tells_what_it_declares(
    touchstone: Touchstone, tmp_path: Path
) -> None:
    path = tmp_path / "cut.jpg"
    data = signed(make("image/jpeg"), "image/jpeg")
    path.write_bytes(data[: len(data) - 6000])

    report = touchstone("scan", path, "--json").json

    assert report["status"] == "unable"
    assert report["provenance"]["c2pa"]["state"] == "invalid"
    assert [row["kind"] for row in report["evidence"]] == ["c2pa"]


def test_a_broken_trust_folder_is_one_clear_line(touchstone: Touchstone, jpg: Path, root: Path) -> None:
    touchstone("trust", "add", root)
    (Path("data") / "trust" / "newsroom.pem").write_text("something else")

    for command in (("scan", jpg), ("verify", jpg), ("trust", "list")):
        ran = touchstone(*command)
        assert ran.code == 3
        assert ran.err.count("touchstone: trust: ") == 1
