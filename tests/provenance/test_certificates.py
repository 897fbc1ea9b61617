"""A certificate or key that no verifier would take is refused before anything is signed with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from evidence.errors import SigningError, TrustError
from provenance.authority import Identity, development_identity, make_identity
from provenance.certificates import algorithm_of, certificates_in, check_chain, key_pem, load_key, public_key
from provenance.signers import key_from_files
from tests.credentials import STAMPING, WEB_SERVER, Authority


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def _nobody() -> bytes | None:
    return None


def _files(tmp_path: Path, identity: Identity) -> tuple[Path, Path]:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(identity.chain)
    key.write_bytes(identity.key)
    return chain, key


def test_a_chain_and_its_key_are_taken(authority: Authority, tmp_path: Path) -> None:
    identity = authority.issue()

    key = key_from_files(*_files(tmp_path, identity), _nobody)

    assert (key.algorithm, key.chain) == ("es256", identity.chain)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"days": (-90, -5)}, "has expired"),
        ({"days": (5, 90)}, "is not valid yet"),
        ({"usage": WEB_SERVER}, "is not made for signing content"),
        ({"usage": STAMPING}, "is not made for signing content"),
    ],
)
def test_a_certificate_that_is_not_for_this_is_refused(
    authority: Authority, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(SigningError, match=said):
        check_chain(authority.issue(**changes).chain)  # type: ignore[arg-type]


def test_one_that_is_self_made_out_of_order_or_of_another_key_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    identity, other = authority.issue(), Authority("Other").issue()
    first, second = (one.pem.encode() for one in certificates_in(identity.chain, of="the chain"))
    with pytest.raises(SigningError, match="signed by itself"):
        check_chain(authority.pem)
    with pytest.raises(SigningError, match="signed by itself"):
        check_chain(second + first)
    with pytest.raises(SigningError, match="did not issue"):
        check_chain(first + certificates_in(other.chain, of="the chain")[1].pem.encode())
    with pytest.raises(SigningError, match="not the one of the first certificate"):
        key_from_files(*_files(tmp_path, Identity(identity.chain, other.key)), _nobody)


def test_a_locked_key_opens_with_its_pass_phrase_alone(authority: Authority, tmp_path: Path) -> None:
    identity = authority.issue()
    locked = serialization.load_pem_private_key(identity.key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    chain, key = _files(tmp_path, Identity(identity.chain, locked))

    assert key_from_files(chain, key, lambda: b"open sesame").key == identity.key
    with pytest.raises(SigningError, match="none was given"):
        key_from_files(chain, key, _nobody)
    with pytest.raises(SigningError, match="does not open"):
        key_from_files(chain, key, lambda: b"open barley")


def test_a_pass_phrase_is_not_asked_for_a_key_that_needs_none(authority: Authority, tmp_path: Path) -> None:
    files = _files(tmp_path, authority.issue())

    assert key_from_files(*files, lambda: pytest.fail("asked")).algorithm == "es256"


def test_files_that_hold_neither_are_refused(authority: Authority, tmp_path: Path) -> None:
    chain, key = _files(tmp_path, authority.issue())
    key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(SigningError, match="no key that can be used"):
        key_from_files(chain, key, _nobody)
    with pytest.raises(SigningError, match="cannot be read"):
        key_from_files(chain, tmp_path / "missing.pem", _nobody)
    key.write_bytes(b"x" * 2_000_000)
    with pytest.raises(SigningError, match="more than"):
        key_from_files(chain, key, _nobody)
    with pytest.raises(TrustError, match="holds no certificate"):
        certificates_in(b"hello", of="The file")
    with pytest.raises(TrustError, match="cannot be read"):
        certificates_in(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", of="The file")


def test_every_kind_of_key_that_c2pa_allows_is_named_and_others_are_refused(authority: Authority) -> None:
    kinds = {
        "es256": ec.generate_private_key(ec.SECP256R1()),
        "es384": ec.generate_private_key(ec.SECP384R1()),
        "es512": ec.generate_private_key(ec.SECP521R1()),
        "ps256": rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    for name, key in kinds.items():
        assert algorithm_of(authority.issue(key=key).chain) == name
    with pytest.raises(SigningError, match="does not allow"):
        algorithm_of(authority.issue(key=ec.generate_private_key(ec.SECP256K1())).chain)
    foreign = load_key(key_pem(dsa.generate_private_key(2048)), None, of="it")
    with pytest.raises(SigningError, match="does not allow"):
        public_key(foreign, of="it")


def test_the_development_authority_is_made_once_kept_from_others_and_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "signing"
    first = development_identity(folder)

    assert development_identity(folder) == first
    assert (folder / "signer.key").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    check_chain(first.chain)
    signer, root = certificates_in(first.chain, of="the chain")
    assert "development" in signer.subject
    assert root.authority
    name = x509.load_pem_x509_certificate(signer.pem.encode()).subject.rfc4514_string()
    assert "(untrusted)" in name
    # Once less than a month of it is left, it is made anew.
    monkeypatch.setattr("provenance.authority.RENEW_DAYS", 366)
    assert development_identity(folder) != first


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "signing").write_text("a file is in the way")

    with pytest.raises(SigningError, match="cannot be read or made"):
        development_identity(tmp_path / "signing")


def test_two_machines_have_two_authorities() -> None:
    assert make_identity("one").chain != make_identity("one").chain
