"""Certificates and keys: read, and checked before anything is signed with them.

The home of `cryptography`, with `authority.py` beside it. What the C2PA profile asks of a certificate is
in its technical specification, section 14.5.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from evidence.errors import SigningError, TrustError

Algorithm = Literal["es256", "es384", "es512", "ps256", "ed25519"]

# What a signing certificate may be for: C2PA's own usage, mail, documents (RFC 9336, Microsoft).
SIGNING_USAGES = (
    *("1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.4"),
    *("1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.311.76.59.1.9"),
)
STAMPING_USAGES = ("1.3.6.1.5.5.7.3.8",)
_LONGEST_CHAIN = 10


@dataclass(frozen=True)
class Certificate:
    """A certificate as we need it; `serial` is decimal, `pem` ends with a line break."""

    pem: str
    serial: str
    subject: str
    authority: bool
    starts: datetime
    ends: datetime
    usages: tuple[str, ...]


def certificates_in(data: bytes, *, of: str) -> tuple[Certificate, ...]:
    """The certificates of a PEM file; other text is skipped. Raises TrustError for none, or a bad one."""
    blocks = _blocks(data)
    if not blocks:
        raise TrustError(f"{of} holds no certificate.", "Give certificates in PEM form.")
    try:
        return tuple(_certificate(x509.load_pem_x509_certificate(block)) for block in blocks)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError(f"{of} holds a certificate that cannot be read: {error}.", "Get it again.") from None


def load_key(data: bytes, password: bytes | None, *, of: str) -> PrivateKeyTypes:
    """The private key of a PEM file. Raises SigningError, which says if a pass phrase is missing or wrong."""
    try:
        return serialization.load_pem_private_key(data, password or None)
    except TypeError as error:
        if "not encrypted" in str(error):
            return serialization.load_pem_private_key(data, None)
        raise SigningError(
            f"The key in {of} is locked with a pass phrase, and none was given.",
            "Give it by --passphrase-file, TOUCHSTONE_KEY_PASSPHRASE, or at the terminal.",
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        said = str(error).lower()
        if "password" in said or "decrypt" in said:
            raise SigningError(f"The pass phrase does not open the key in {of}.", "Try it again.") from None
        raise SigningError(
            f"There is no key that can be used in {of}.", "Give an EC, RSA or Ed25519 key in PEM form."
        ) from None


def key_pem(key: PrivateKeyTypes) -> bytes:
    """The key in PKCS #8, unlocked, as c2pa-python takes it; it is not written anywhere."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_key(key: PrivateKeyTypes, *, of: str) -> PublicKeyTypes:
    """The public half of a key that can sign. Raises SigningError for one that cannot."""
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key.public_key()
    raise SigningError(f"The key in {of} is of a kind that C2PA does not allow.", _KINDS)


def fitting_signature(signature: bytes, data: bytes, chain: bytes, algorithm: Algorithm) -> bytes:
    """A signature in the form of COSE, once the first certificate's key confirms it. Raises SigningError.

    Services give ECDSA signatures in DER, COSE wants the two numbers in a row.
    """
    key = _first(chain).public_key()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            size = (key.curve.key_size + 7) // 8
            if len(signature) == 2 * size:
                numbers = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
            else:
                numbers = utils.decode_dss_signature(signature)
            key.verify(utils.encode_dss_signature(*numbers), data, ec.ECDSA(_HASHES[algorithm]))
            return b"".join(number.to_bytes(size, "big") for number in numbers)
        if isinstance(key, rsa.RSAPublicKey):
            salted = padding.PSS(padding.MGF1(_HASHES[algorithm]), _HASHES[algorithm].digest_size)
            key.verify(signature, data, salted, _HASHES[algorithm])
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
    except (InvalidSignature, ValueError, OverflowError):
        raise SigningError(
            f"The signature of {len(signature)} bytes is none by the key of the first certificate.",
            f"Sign the bytes themselves, by {algorithm.upper()}, with the key that belongs to it.",
        ) from None
    return signature


def signature_by(pem: bytes, data: bytes, algorithm: Algorithm) -> bytes:
    """The signature of a key that `key_pem` wrote, in the form of COSE."""
    key = load_key(pem, None, of="the signing key")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        numbers = utils.decode_dss_signature(key.sign(data, ec.ECDSA(_HASHES[algorithm])))
        return b"".join(number.to_bytes(size, "big") for number in numbers)
    if isinstance(key, rsa.RSAPrivateKey):
        salted = padding.PSS(padding.MGF1(_HASHES[algorithm]), _HASHES[algorithm].digest_size)
        return key.sign(data, salted, _HASHES[algorithm])
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    raise SigningError("The signing key is of a kind that C2PA does not allow.", _KINDS)


def algorithm_of(chain: bytes) -> Algorithm:
    """How a signature by the first certificate's key is made. Raises SigningError for a key C2PA forbids."""
    key = _first(chain).public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return "ps256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    raise SigningError("The certificate's key is of a kind that C2PA does not allow.", _KINDS)


def check_chain(chain: bytes, public: PublicKeyTypes | None = None, now: datetime | None = None) -> None:
    """Refuse a chain that no verifier would take. `public` is the key that will sign, where it is known.

    Raises SigningError: expired, made for something else, self-signed, out of order, or of another key.
    """
    read = certificates_in(chain, of="The certificate file")
    if len(read) > _LONGEST_CHAIN:
        raise SigningError(
            f"The chain has {len(read)} certificates.", "Give the signer's own, then its issuers."
        )
    signer, now = read[0], now or datetime.now(UTC)
    for one in read:
        if not one.starts <= now <= one.ends:
            state = "has expired" if now > one.ends else "is not valid yet"
            raise SigningError(
                f"The certificate of {one.subject} {state}: it holds from {one.starts:%Y-%m-%d} to "
                f"{one.ends:%Y-%m-%d}.",
                "Get a new one from its issuer.",
            )
    parsed = [x509.load_pem_x509_certificate(one.pem.encode()) for one in read]
    if signer.authority or parsed[0].issuer == parsed[0].subject:
        raise SigningError(
            f"The first certificate, of {signer.subject}, is an authority's or signed by itself.",
            "Put the signer's own certificate first, issued by an authority.",
        )
    if not set(signer.usages).intersection(SIGNING_USAGES):
        raise SigningError(
            f"The certificate of {signer.subject} is not made for signing content "
            f"(its usages: {', '.join(signer.usages) or 'none'}).",
            "Get one with the extended key usage c2pa-kp-claimSigning or emailProtection.",
        )
    _check_order(parsed)
    if public is not None and _spki(public) != _spki(parsed[0].public_key()):
        raise SigningError(
            "The key is not the one of the first certificate.", "Give the two that belong together."
        )


def _check_order(chain: Sequence[x509.Certificate]) -> None:
    for below, above in itertools.pairwise(chain):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            raise SigningError(
                f"{_subject(above)} did not issue the certificate before it in the file.",
                "Give the signer's certificate first, then its issuer, then theirs.",
            ) from None


def _certificate(parsed: x509.Certificate) -> Certificate:
    try:
        usage = parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        usages = tuple(one.dotted_string for one in usage)
    except x509.ExtensionNotFound:
        usages = ()
    try:
        authority = parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    return Certificate(
        pem=parsed.public_bytes(serialization.Encoding.PEM).decode(),
        serial=str(parsed.serial_number),
        subject=_subject(parsed),
        authority=authority,
        starts=parsed.not_valid_before_utc,
        ends=parsed.not_valid_after_utc,
        usages=usages,
    )


def _subject(parsed: x509.Certificate) -> str:
    """The common name, else the whole name."""
    named = parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(named[0].value) if named else parsed.subject.rfc4514_string()


def _first(chain: bytes) -> x509.Certificate:
    blocks = _blocks(chain)
    if not blocks:
        raise SigningError("The certificate file holds no certificate.", "Give certificates in PEM form.")
    return x509.load_pem_x509_certificate(blocks[0])


def _blocks(data: bytes) -> list[bytes]:
    """The certificates of a PEM file, each with its two lines of dashes."""
    parts = data.split(_BEGIN)[1:]
    return [_BEGIN + part.partition(_END)[0] + _END + b"\n" for part in parts]


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_KINDS = "Use P-256, P-384, P-521, RSA from 2048 bits on, or Ed25519."
_HASHES: dict[Algorithm, hashes.HashAlgorithm] = {
    "es256": hashes.SHA256(),
    "es384": hashes.SHA384(),
    "es512": hashes.SHA512(),
    "ps256": hashes.SHA256(),
}
_CURVES: dict[str, Algorithm] = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
