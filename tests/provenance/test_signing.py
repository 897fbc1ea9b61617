"""What is signed says the right thing, verifies, and is never half there."""

from __future__ import annotations

import hashlib
import http.server
import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from encypher_c2pa import verify

from benchmarks.signable import make
from evidence.errors import OutputError, SigningError, UnreadableMedia
from provenance.c2pa import CredentialReader, SigningKey
from provenance.certificates import Algorithm
from provenance.credentials import Credentials, declared_source
from provenance.formats import media_type
from provenance.signers import key_from_command
from provenance.signing import IPTC, SCAN_ASSERTION, Statement, sign_file, target_for
from provenance.trust import TrustList
from tests.credentials import STAMPING, Authority, key_of

REPORT = {
    "schema": "touchstone.scan/1",
    "media": {"sha256": "ab" * 32},
    "status": "ok",
    "verdict": "fake",
    "fake_probability": 0.97,
    "threshold": {"name": "balanced", "value": 0.8},
    "models": [{"name": "detector", "version": "1", "sha256": "cd" * 32, "score": 0.97, "ms": 3.0}],
    "provenance": {"c2pa": None, "metadata": [], "claims": [], "watermark": {}, "near_duplicates": []},
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def key(authority: Authority) -> SigningKey:
    return key_of(authority.issue())


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(make("image/png"))
    return path


def _read(path: Path, *lists: TrustList, sidecar: Path | None = None) -> Credentials:
    with path.open("rb") as file:
        beside = sidecar.read_bytes() if sidecar else b""
        return CredentialReader(lists).read(file, media_type(file), beside)


def test_what_a_machine_made_is_said_to_be_made_by_one(
    png: Path, tmp_path: Path, key: SigningKey, authority: Authority
) -> None:
    before = png.read_bytes()

    out = sign_file(png, tmp_path / "deep" / "out.png", Statement("generated", agent="dcgan-faces"), key)

    found = _read(out, authority.listed())
    assert found.state == "trusted"
    assert found.manifest is not None
    assert found.manifest.generator.startswith("Touchstone ")
    assert found.manifest.title == "picture.png"
    (action,) = found.manifest.actions
    assert (action.name, action.source_type) == ("c2pa.created", IPTC + "trainedAlgorithmicMedia")
    assert action.agent == "dcgan-faces"
    assert png.read_bytes() == before
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out.png"]


def test_an_edit_names_the_file_it_was_made_from(
    png: Path, tmp_path: Path, key: SigningKey, authority: Authority
) -> None:
    whole = tmp_path / "whole.jpg"
    whole.write_bytes(make("image/jpeg"))
    parent = sign_file(whole, tmp_path / "parent.jpg", Statement("generated"), key)
    said = Statement("edited", source_type="compositeWithTrainedAlgorithmicMedia", parent=parent)

    found = _read(sign_file(png, tmp_path / "out.png", said, key), authority.listed())

    assert found.manifest is not None
    assert [action.name for action in found.manifest.actions] == ["c2pa.opened", "c2pa.edited"]
    (ingredient,) = found.manifest.ingredients
    assert (ingredient.title, ingredient.mime, ingredient.state) == ("parent.jpg", "image/jpeg", "trusted")


def test_a_scanned_file_carries_what_the_scan_found(
    png: Path, tmp_path: Path, key: SigningKey, authority: Authority
) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps(REPORT))

    out = sign_file(png, tmp_path / "out.png", Statement("scanned", report=report), key)

    found = _read(out, authority.listed())
    assert found.state == "trusted"
    assert declared_source(found) == ""
    assert found.manifest is not None
    assert [action.name for action in found.manifest.actions] == ["c2pa.opened", "org.touchstone.scanned"]
    told = _assertion(out)
    assert (told["verdict"], told["fake_probability"]) == ("fake", 0.97)
    assert told["report_sha256"] == hashlib.sha256(report.read_bytes()).hexdigest()
    assert told["models"] == [{"name": "detector", "version": "1", "sha256": "cd" * 32}]


def test_a_report_is_signed_by_a_sidecar_over_every_byte_of_it(
    tmp_path: Path, key: SigningKey, authority: Authority
) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps(REPORT))

    sidecar = sign_file(report, target_for(report), Statement("report"), key)

    assert sidecar == tmp_path / "report.json.c2pa"
    found = _read(report, authority.listed(), sidecar=sidecar)
    assert (found.state, declared_source(found)) == ("trusted", "dataDrivenMedia")
    report.write_text(json.dumps({**REPORT, "verdict": "real"}))
    assert _read(report, authority.listed(), sidecar=sidecar).state == "invalid"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "other/1"}', json.dumps({**REPORT, "models": 5})]
)
def test_a_report_that_is_none_is_not_signed(tmp_path: Path, key: SigningKey, text: str) -> None:
    report = tmp_path / "report.json"
    report.write_text(text or " ")

    with pytest.raises(SigningError, match="is no report of one scan"):
        sign_file(report, tmp_path / "out.c2pa", Statement("report"), key)
    assert not (tmp_path / "out.c2pa").exists()


def test_a_source_type_the_iptc_does_not_know_is_refused(png: Path, tmp_path: Path, key: SigningKey) -> None:
    with pytest.raises(SigningError, match="no source type 'realPhoto'"):
        sign_file(png, tmp_path / "out.png", Statement("edited", source_type="realPhoto"), key)


def test_what_does_not_verify_is_thrown_away(png: Path, tmp_path: Path, authority: Authority) -> None:
    mixed = replace(key_of(authority.issue()), key=authority.issue().key)

    with pytest.raises(SigningError, match=r"does not verify \(.*claimSignature.mismatch"):
        sign_file(png, tmp_path / "out.png", Statement("generated"), mixed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["picture.png"]


def test_a_missing_file_and_a_place_that_cannot_be_written_are_said(
    png: Path, tmp_path: Path, key: SigningKey
) -> None:
    with pytest.raises(UnreadableMedia):
        sign_file(tmp_path / "missing.png", tmp_path / "out.png", Statement("generated"), key)
    with pytest.raises(OutputError):
        sign_file(png, png / "out.png", Statement("generated"), key)


KEYS = {
    "es256": (lambda: ec.generate_private_key(ec.SECP256R1())),
    "es384": (lambda: ec.generate_private_key(ec.SECP384R1())),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ps256": (lambda: rsa.generate_private_key(65537, 2048)),
}


@pytest.mark.parametrize("algorithm", list(KEYS))
def test_every_kind_of_key_signs_what_verifies(
    algorithm: Algorithm, png: Path, tmp_path: Path, authority: Authority
) -> None:
    identity = authority.issue(key=KEYS[algorithm]())

    out = sign_file(
        png,
        tmp_path / "out.png",
        Statement("generated"),
        SigningKey(identity.chain, algorithm, identity.key),
    )

    assert _read(out, authority.listed()).state == "trusted"


def _service(tmp_path: Path, authority: Authority, *, options: str = "") -> tuple[Path, str]:
    """A chain, and the command of a signing service: openssl, which answers in DER."""
    identity = authority.issue()
    chain, secret = tmp_path / "chain.pem", tmp_path / "secret.pem"
    chain.write_bytes(identity.chain)
    secret.write_bytes(identity.key)
    return chain, f"openssl dgst -sha256 {options} -sign {shlex.quote(str(secret))}"


def test_a_command_signs_where_the_key_may_not_leave(png: Path, tmp_path: Path, authority: Authority) -> None:
    chain, command = _service(tmp_path, authority)

    out = sign_file(png, tmp_path / "out.png", Statement("generated"), key_from_command(chain, command))

    assert _read(out, authority.listed()).state == "trusted"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{sys.executable} -c 'import sys; sys.exit(\"locked\")'", "ended with 1: locked"),
        (f"{sys.executable} -c 'print(5)'", "none by the key"),
        ("true", "none by the key"),
        ("/nowhere/kms", "cannot be run"),
        ("'unclosed", "cannot be read"),
        ("", "is empty"),
    ],
)
def test_a_command_that_does_not_sign_is_said(
    command: str, said: str, png: Path, tmp_path: Path, authority: Authority
) -> None:
    chain, _ = _service(tmp_path, authority)

    with pytest.raises(SigningError, match=said):
        sign_file(png, tmp_path / "out.png", Statement("generated"), key_from_command(chain, command))


def test_a_second_verifier_agrees_on_states(
    png: Path, tmp_path: Path, key: SigningKey, authority: Authority
) -> None:
    out = sign_file(png, tmp_path / "out.png", Statement("generated"), key)
    data = out.read_bytes()
    broken = bytearray(data)
    broken[-40] ^= 1

    def second(content: bytes, *, pem: str = "") -> tuple[str, str]:
        told = verify(
            content, "image/png", no_default_trust=True, trust_pem=pem or None, telemetry=False, online=False
        )
        return told["integrity"], told["trust"]["status"]

    assert second(data, pem=authority.pem.decode()) == ("valid", "valid_for_supplied_material")
    assert second(data) == ("valid", "not_evaluated")
    assert second(bytes(broken))[0] == "invalid"


@pytest.fixture
def stamper(tmp_path: Path, authority: Authority) -> Iterator[str]:
    """A time stamping authority that runs here: openssl behind HTTP."""
    identity = authority.issue(usage=STAMPING, key=rsa.generate_private_key(65537, 2048))
    chain, secret = tmp_path / "tsa.pem", tmp_path / "tsa.key"
    chain.write_bytes(identity.chain)
    secret.write_bytes(identity.key)
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.cnf").write_text(
        f"[tsa]\nserial = {tmp_path}/serial\ndefault_policy = 1.2.3.4.1\ndigests = sha256, sha384, sha512\n"
        "signer_digest = sha256\nordering = yes\ness_cert_id_alg = sha256\n"
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = tmp_path / "query.tsq"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            command = f"openssl ts -reply -config tsa.cnf -section tsa -queryfile {query} -signer tsa.pem"
            command += " -inkey tsa.key -chain tsa.pem -out reply.tsr"
            subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write((tmp_path / "reply.tsr").read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_time_stamp_is_told_and_trusted_by_its_own_list(
    stamper: str, png: Path, tmp_path: Path, authority: Authority
) -> None:
    key = replace(key_of(Authority("Signers").issue()), authority=stamper)

    out = sign_file(png, tmp_path / "out.png", Statement("generated"), key)

    listed, unlisted = _read(out, authority.listed("tsa")), _read(out)
    assert (listed.state, listed.time_stamp) == ("untrusted", "trusted")
    assert unlisted.time_stamp == "untrusted"
    assert listed.manifest is not None
    assert listed.manifest.time.startswith("20")


def _assertion(path: Path) -> dict[str, Any]:
    """What a file's manifest says about the scan, as the library gives it."""
    import c2pa

    with path.open("rb") as file, c2pa.Reader("image/png", file) as reader:
        manifest = reader.get_active_manifest()
    (found,) = [row["data"] for row in manifest["assertions"] if row["label"] == SCAN_ASSERTION]
    return dict(found)
