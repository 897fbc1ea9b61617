"""Signers, chains and signed files for the tests of provenance: a root, and what it issues."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from evidence.medium import Pixels
from provenance.authority import Identity, make_identity
from provenance.c2pa import CredentialReader, Part, SigningKey, sign
from provenance.certificates import key_pem
from provenance.credentials import Credentials
from provenance.signing import Statement, manifest_definition
from provenance.trust import Kind, TrustList

MAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
WEB_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
STAMPING = ExtendedKeyUsageOID.TIME_STAMPING


def changed_png(data: bytes, pixels: Pixels) -> bytes:
    """A signed PNG with other pixels and its old manifest, as an editor leaves it that knows of none."""
    at = data.index(b"caBX") - 4
    manifest = data[at : at + 12 + int.from_bytes(data[at : at + 4], "big")]
    plain = cv2.imencode(".png", pixels[:, :, ::-1])[1].tobytes()
    return plain[:33] + manifest + plain[33:]


class Authority:
    """A root, and the certificates it issues."""

    def __init__(self, name: str = "Root of the tests") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        self.root = _issue(self.name, self.name, self.key.public_key(), self.key, usages=(), authority=True)
        self.pem = self.root.public_bytes(Encoding.PEM)

    def issue(
        self,
        *,
        usage: ObjectIdentifier = MAIL,
        days: tuple[float, float] = (-1, 30),
        key: Any = None,
        extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    ) -> Identity:
        """A signer's chain and key; `days` is from when to when, counted from today."""
        secret = key or ec.generate_private_key(ec.SECP256R1())
        signer = _issue(
            _name("Signer of the tests"),
            self.name,
            secret.public_key(),
            self.key,
            usages=(usage,),
            days=days,
            extra=extra,
        )
        return Identity(signer.public_bytes(Encoding.PEM) + self.pem, key_pem(secret))

    def listed(self, kind: Kind = "official", name: str = "tests") -> TrustList:
        """The root as a trust list."""
        return TrustList(name, kind, self.pem.decode(), "", "2026-11-25")


def key_of(identity: Identity, **more: Any) -> SigningKey:
    """An identity as what signs."""
    return SigningKey(identity.chain, "es256", identity.key, **more)


def signed(
    data: bytes,
    mime: str,
    key: SigningKey | None = None,
    statement: Statement | None = None,
    *,
    parts: tuple[Part, ...] = (),
    definition: dict[str, Any] | None = None,
) -> bytes:
    """The bytes of a file with a manifest in it; by default a signer nobody knows says "generated"."""
    key = key or key_of(make_identity("Nobody"))
    statement = statement or Statement("generated")
    out = io.BytesIO()
    definition = definition or manifest_definition(statement, Path("picture"))
    sign(
        definition,
        io.BytesIO(data),
        mime,
        key=key,
        out=out,
        parts=parts,
        edit=statement.what in ("edited", "scanned"),
    )
    return out.getvalue()


def read(data: bytes, mime: str, *lists: TrustList, **more: Any) -> Credentials:
    """The credentials of bytes, with these lists in force."""
    return CredentialReader(lists, **more).read(io.BytesIO(data), mime)


def codes(credentials: Credentials) -> list[str]:
    """What is wrong, by code."""
    return [problem.code for problem in credentials.problems]


def _issue(
    subject: x509.Name,
    issuer: x509.Name,
    public: Any,
    key: ec.EllipticCurvePrivateKey,
    *,
    usages: tuple[ObjectIdentifier, ...],
    authority: bool = False,
    days: tuple[float, float] = (-200, 3000),
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(
            x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if usages:
        critical = STAMPING in usages
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=critical)
    for extension, is_critical in extra:
        builder = builder.add_extension(extension, is_critical)
    return builder.sign(key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Touchstone tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
