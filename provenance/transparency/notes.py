"""Signed notes and tree heads as c2sp.org/signed-note and c2sp.org/tlog-checkpoint write them, by Ed25519.

A head says how many entries a log has and what their root is. Keys are written as Go's `note` package writes
them, so that other tools of that family take ours: `NAME+HASH+BASE64`, and the secret one with PRIVATE+KEY+.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from provenance.transparency.errors import LogError
from provenance.transparency.merkle import HASH_BYTES

MOST_BYTES = 64 << 10  # of a note
_ED25519 = b"\1"
_SECRET = "PRIVATE+KEY+"
_DASH = "\u2014"


@dataclass(frozen=True)
class PublicKey:
    """Whose signature a note must carry: a name and an Ed25519 key."""

    name: str
    raw: bytes

    @classmethod
    def read(cls, text: str) -> PublicKey:
        """A key as `str` writes it. Raises LogError for anything else."""
        name, said, raw = _parts(text.strip(), "public")
        return cls(name, raw)._called(said)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(_ED25519 + self.raw)}"

    @property
    def id(self) -> bytes:
        """The four bytes that tell this key from others of its name."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def _called(self, said: str) -> PublicKey:
        """Itself, if that is the hash it was written with."""
        if self.id.hex() != said:
            raise LogError("The key is damaged: its name, hash and bytes do not fit.", "Copy it anew.")
        return self

    def open(self, note: str) -> str:
        """The text of a note that this key signed; raises LogError for any other note."""
        text, signatures = _divided(note)
        for line in signatures:
            name, _, encoded = line.removeprefix(f"{_DASH} ").partition(" ")
            signature = from_base64(encoded, "The signature")
            if name == self.name and signature[:4] == self.id:
                try:
                    Ed25519PublicKey.from_public_bytes(self.raw).verify(signature[4:], text.encode())
                except InvalidSignature:
                    raise LogError(
                        f"The signature of {self.name} does not hold.", "What it stood below was changed."
                    ) from None
                return text
        raise LogError(f"There is no signature of the key {self}.", "Another log's key may have made it.")


@dataclass(frozen=True)
class SecretKey:
    """What a log signs its heads with."""

    name: str
    seed: bytes

    @classmethod
    def make(cls, name: str = "") -> SecretKey:
        """A new key; without a name it is called after itself. Raises LogError for an unfit name."""
        seed = Ed25519PrivateKey.generate().private_bytes_raw()
        if not name:
            name = f"touchstone-log/{hashlib.sha256(_public(seed)).hexdigest()[:16]}"
        _check_name(name)
        return cls(name, seed)

    @classmethod
    def read(cls, text: str) -> SecretKey:
        """A key as `text` writes it. Raises LogError for anything else."""
        if not text.startswith(_SECRET):
            raise LogError("This is no secret key of a log.", f"One begins with {_SECRET}.")
        name, said, seed = _parts(text.strip().removeprefix(_SECRET), "secret")
        PublicKey(name, _public(seed))._called(said)
        return cls(name, seed)

    def text(self) -> str:
        """The key as its file holds it; never to be printed."""
        return f"{_SECRET}{self.name}+{self.public.id.hex()}+{to_base64(_ED25519 + self.seed)}\n"

    @property
    def public(self) -> PublicKey:
        """The key that others check with."""
        return PublicKey(self.name, _public(self.seed))

    def sign(self, text: str) -> str:
        """A note of this text, which ends in a line feed."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"{text}\n{_DASH} {self.name} {to_base64(self.public.id + signature)}\n"


@dataclass(frozen=True)
class Head:
    """What a log was at some time: its name, how many entries it had, and their root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"

    @classmethod
    def read(cls, text: str) -> Head:
        """A head from the text of a note. Raises LogError for another text."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or not is_number(lines[1]):
            raise LogError(
                "The note is no head of a log.", "It needs a name, a size and a root, a line each."
            )
        root = from_base64(lines[2], "The root")
        if len(root) != HASH_BYTES:
            raise LogError("The root of the head is no sha256.", "Ask for the head again.")
        return cls(lines[0], int(lines[1]), root)

    @classmethod
    def signed(cls, note: str, key: PublicKey) -> Head:
        """The head of a note that `key` signed for its own log. Raises LogError."""
        head = cls.read(key.open(note))
        if head.origin != key.name:
            raise LogError(
                f"The head is of the log {head.origin}, the key of {key.name}.", "Take its own key."
            )
        return head


def peek(note: str) -> Head:
    """The head of a note whose signature nobody checked: to say what was found. Raises LogError."""
    return Head.read(_divided(note)[0])


def _divided(note: str) -> tuple[str, list[str]]:
    """A note's text and its signature lines."""
    text, blank, rest = note.rpartition("\n\n")
    lines = rest.split("\n")
    proper = all(line.startswith(f"{_DASH} ") for line in lines[:-1])
    if not blank or len(note) > MOST_BYTES or len(lines) < 2 or lines[-1] or not proper:
        raise LogError("This is no signed note.", "It is a text, a blank line, and signatures, a line each.")
    return f"{text}\n", lines[:-1]


def _parts(text: str, kind: str) -> tuple[str, str, bytes]:
    """A key's name, the hash it is written with, and its bytes."""
    name, _, rest = text.partition("+")
    said, _, encoded = rest.partition("+")
    raw = from_base64(encoded, f"The {kind} key")
    if len(raw) != 1 + HASH_BYTES or raw[:1] != _ED25519:
        raise LogError(f"The {kind} key is none of Ed25519.", "`touchstone log key` prints a log's own.")
    _check_name(name)
    return name, said, raw[1:]


def _check_name(name: str) -> None:
    if not name or "+" in name or any(sign.isspace() or ord(sign) < 32 for sign in name):
        raise LogError(
            f"A log cannot be called {name!r}.", "Take a name without spaces or +: example.org/log."
        )


def _public(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def to_base64(data: bytes) -> str:
    """Bytes as a line of text."""
    return base64.b64encode(data).decode()


def from_base64(text: str, what: str) -> bytes:
    """The bytes of a line, of which there is one spelling only. Raises LogError."""
    with contextlib.suppress(ValueError):
        found = base64.b64decode(text, validate=True)
        if to_base64(found) == text:
            return found
    raise LogError(f"{what} is no base64.", "It was cut off or changed on its way.")


def is_number(text: str) -> bool:
    """Whether a text is a count as these formats write one."""
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and len(text) < 20
