"""Signs files of strangers: a locked-down child parses and writes them, the key never leaves this process.

The child asks for one signature over a socket and sends the signed file back the same way; it may open,
write and reach nothing. A child that a file has taken over could ask for the signature of something else, so
what comes back is read again, in another child, and has to say what was asked for and nothing more.
"""

from __future__ import annotations

import base64
import io
import os
import socket
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from evidence.errors import SigningError
from evidence.inquiry import Reader
from evidence.limits import DecodeLimits
from evidence.sandbox import DecoderPool
from evidence.source import open_media
from evidence.wire import Broken, Channel, Gone, Message
from provenance.c2pa import Part, SigningKey, sign
from provenance.certificates import signature_by
from provenance.credentials import Credentials
from provenance.formats import EMBEDDING, media_type

SIGNER = Reader("provenance.signing_apart:Signer")  # what the pool for `sign_apart` is given

MOST_BYTES = 64 << 20
_ADDED_BYTES = 16 << 20  # a manifest with its ingredients, and what a container is rewritten by
_CHUNK = 1 << 20
_WAIT_SECONDS = 60.0


class Signer:
    """What runs in the child: signs one file after another, each with its socket, and its parent if any."""

    def __call__(self, files: Sequence[BinaryIO], name: str) -> Message:
        """The medium comes first, then the socket; whether the manifest is in the file."""
        medium, end, *parents = files
        channel = Channel(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, os.dup(end.fileno())))
        try:
            asked = channel.receive(_WAIT_SECONDS)

            def ask(data: bytes) -> bytes:
                channel.send({"sign": data.hex()})
                return bytes.fromhex(channel.receive(_WAIT_SECONDS)["signature"])

            key = SigningKey(asked["chain"].encode(), asked["algorithm"], ask)
            file = _held(medium)
            mime = media_type(file)
            beside = base64.b64decode(asked["thumbnail"])
            parts = [
                Part(one, media_type(one), asked["parent"], thumbnail=beside) for one in map(_held, parents)
            ]
            embed, out = mime in EMBEDDING, io.BytesIO()
            manifest = sign(
                asked["definition"],
                file,
                mime,
                key=key,
                out=out,
                parts=parts,
                edit=asked["edit"],
                embed=embed,
                thumbnail=base64.b64decode(asked["own"]),
            )
            written = out.getvalue() if embed else manifest
            for first in range(0, len(written), _CHUNK):
                channel.send({"out": base64.b64encode(written[first : first + _CHUNK]).decode()})
            channel.send({"end": True})
        except SigningError as error:
            return {"error": [error.message, error.advice]}
        finally:
            channel.forget()
        return {"embedded": embed, "mime": mime}


@dataclass(frozen=True)
class Signed:
    """A signed file, or the sidecar of one whose format holds no manifest."""

    content: bytes
    embedded: bool
    mime: str


def sign_apart(
    pool: DecoderPool,
    source: Path,
    definition: dict[str, Any],
    key: SigningKey,
    *,
    edit: bool,
    parent: Path | None = None,
    parent_title: str = "",
    thumbnail: bytes = b"",
    own: bytes = b"",
) -> Signed:
    """Sign a file by a child of the pool, which was given `SIGNER`; `says` checks what it made.

    `thumbnail` is a small JPEG of the parent, `own` one of the file itself.

    Raises SigningError, MediaError.
    """
    limits = DecodeLimits(max_bytes=MOST_BYTES)
    ours, theirs = socket.socketpair()
    with ExitStack() as opened:
        opened.callback(theirs.close)
        answering = _Answering(Channel(ours), key)
        opened.callback(answering.close)
        files = [
            opened.enter_context(open_media(source, limits)),
            opened.enter_context(open(theirs.fileno(), "rb", buffering=0, closefd=False)),
        ]
        files += [opened.enter_context(open_media(parent, limits))] if parent else []
        asked = {
            "definition": definition,
            "chain": key.chain.decode(),
            "algorithm": key.algorithm,
            "edit": edit,
            "parent": parent_title,
            "thumbnail": base64.b64encode(thumbnail).decode(),
            "own": base64.b64encode(own).decode(),
        }
        answering.start(asked)
        said = pool.ask(files, source.name)
        if answering.failed:
            raise answering.failed[0]
        if "error" in said:
            raise SigningError(*map(str, said["error"]))
        return Signed(answering.written(), bool(said.get("embedded")), str(said.get("mime")))


def says(found: Credentials, definition: dict[str, Any]) -> bool:
    """Whether credentials stand and say what a definition says: its title, and of its actions no other."""
    manifest = found.manifest
    if not found.stands or manifest is None or manifest.title != definition["title"]:
        return False
    asked = [
        (action["action"], action.get("digitalSourceType", ""))
        for assertion in definition["assertions"]
        if assertion["label"] == "c2pa.actions.v2"
        for action in assertion["data"]["actions"]
    ]
    told = [(action.name, action.source_type) for action in manifest.actions if action.name != "c2pa.opened"]
    return told == asked


@dataclass
class _Answering:
    """Our end of the socket: one signature is given, and what the child writes is taken."""

    channel: Channel
    key: SigningKey
    failed: list[SigningError] = field(default_factory=list)
    _written: bytearray = field(default_factory=bytearray)
    _thread: threading.Thread | None = None
    _whole: bool = False

    def start(self, asked: Message) -> None:
        self.channel.send(asked)
        self._thread = threading.Thread(target=self._answer, name="signing", daemon=True)
        self._thread.start()

    def written(self) -> bytes:
        """What came, once the child has said that it is done. Raises SigningError when that is not all."""
        assert self._thread is not None
        self._thread.join(_WAIT_SECONDS)
        if not self._whole:
            raise SigningError("The signed file did not come whole.", "Sign the file with `touchstone sign`.")
        return bytes(self._written)

    def close(self) -> None:
        self.channel.close()
        if self._thread is not None:
            self._thread.join()

    def _answer(self) -> None:
        try:
            message = self.channel.receive()
            if "sign" in message:  # once
                self.channel.send({"signature": self._signature(bytes.fromhex(message["sign"])).hex()})
                message = self.channel.receive()
            while "out" in message and len(self._written) <= MOST_BYTES + _ADDED_BYTES:
                self._written += base64.b64decode(message["out"])
                message = self.channel.receive()
            self._whole = "end" in message
        except (Broken, KeyError, ValueError, TypeError):  # a child that was ended, or taken over
            return
        finally:
            self.channel.close()

    def _signature(self, data: bytes) -> bytes:
        try:
            if isinstance(self.key.key, bytes):
                return signature_by(self.key.key, data, self.key.algorithm)
            return self.key.key(data)
        except SigningError as error:
            self.failed.append(error)
            raise Gone("the key does not sign") from None


def _held(file: BinaryIO) -> BinaryIO:
    return io.BytesIO(file.read())  # native code asks for it in small pieces
