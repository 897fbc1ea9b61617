"""A development authority: a certificate to sign with on a machine that has no other, made at first use.

It proves that two files were signed on the same machine and nothing else, and its names say so. Nobody's
trust list holds it.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence.errors import SigningError
from evidence.files import locked, write_secret, write_whole
from provenance.certificates import certificates_in, key_pem

ORGANISATION = "Touchstone development (untrusted)"
AUTHORITY_DAYS, SIGNER_DAYS = 3650, 365
RENEW_DAYS = 30


@dataclass(frozen=True)
class Identity:
    """What a signature is made with: the chain in PEM, the signer's certificate first, and its key."""

    chain: bytes
    key: bytes


def development_identity(folder: Path) -> Identity:
    """The identity in `folder`, made when there is none or when it is about to expire.

    Only its owner may read it. Raises SigningError or OutputError where it cannot be kept.
    """
    chain, key = folder / "signer.pem", folder / "signer.key"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(folder):  # several workers may need their first one at the same time
            if not (chain.is_file() and key.is_file() and _lasts(chain.read_bytes())):
                made = make_identity(_machine())
                write_secret(key, made.key)
                write_whole(chain, made.chain)
            return Identity(chain.read_bytes(), key.read_bytes())
    except OSError as error:
        raise SigningError(
            f"The development certificate in {folder} cannot be read or made: {error.strerror or error}.",
            "Set TOUCHSTONE_DATA_DIR to a folder that can be written.",
        ) from None


def _machine() -> str:
    """What the certificate is called: which machine made it, no more."""
    return f"Touchstone development signer on {platform.node() or 'this machine'}"


def make_identity(name: str, now: datetime | None = None) -> Identity:
    """A new authority and a signer that it vouches for; the authority's own key is thrown away."""
    now = now or datetime.now(UTC)
    root_key, signer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, signer_name = _name(f"{name}: authority"), _name(name)
    root = _sign(
        root_name, root_name, root_key.public_key(), root_key, authority=True, now=now, days=AUTHORITY_DAYS
    )
    signer = _sign(
        signer_name, root_name, signer_key.public_key(), root_key, authority=False, now=now, days=SIGNER_DAYS
    )
    chain = b"".join(_pem(one) for one in (signer, root))
    return Identity(chain, key_pem(signer_key))


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
    now: datetime,
    days: int,
) -> x509.Certificate:
    """A certificate of the profile that C2PA asks for."""
    builder = (
        x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, 0 if authority else None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority,
                crl_sign=authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if not authority:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common[:64]),
        ]
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _lasts(chain: bytes) -> bool:
    ends = min(one.ends for one in certificates_in(chain, of="The development certificate"))
    return ends > datetime.now(UTC) + timedelta(days=RENEW_DAYS)
