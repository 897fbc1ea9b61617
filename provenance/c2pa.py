"""Reads, verifies and signs Content Credentials; the only home of c2pa-python and its exceptions.

The library reads what strangers made, so nothing in here reaches the network: manifests that lie
elsewhere are named, never fetched, and revocation is known from what is stapled into the manifest and
from our own list. Reading belongs into a child of the sandbox (`provenance.examine`).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal
from urllib.parse import urlsplit

import c2pa

from evidence.errors import SigningError
from evidence.source import buffered
from provenance.certificates import SIGNING_USAGES, STAMPING_USAGES, Algorithm, certificates_in
from provenance.credentials import Credentials, Problem
from provenance.formats import READABLE, UNKNOWN
from provenance.manifest_store import Known, credentials_of, was_edited
from provenance.trust import KINDS, TrustList

MOST_STORE_CHARACTERS = 16_000_000
KEPT_BYTES = 64 << 20  # a smaller file is read at once; native code asks for it in small pieces

UNREADABLE = "manifest.unreadable"  # ours: there are remains of a manifest that nothing can be made of
INACCESSIBLE = "manifest.inaccessible"


def settings_for(lists: Sequence[TrustList] = ()) -> dict[str, Any]:
    """The library's settings: nothing is fetched, trust comes from `lists` alone."""
    return {
        "version": 1,
        "core": {"allowed_network_hosts": []},
        "verify": {
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            "verify_trust": True,
            "verify_timestamp_trust": True,
            "verify_after_reading": True,
            "verify_after_sign": False,
        },
        "builder": {"thumbnail": {"enabled": False}, "certificate_status_fetch": None},
        "trust": {
            "trust_config": "\n".join((*SIGNING_USAGES, *STAMPING_USAGES)),
            "anchors": list(_anchors(lists)),
        },
    }


def _anchors(lists: Sequence[TrustList]) -> Iterator[dict[str, str]]:
    """The lists as the library takes them: authorities, and signers that are trusted without one.

    It asks lists in no order, so a certificate stays in the first of them alone.
    """
    seen: set[str] = set()
    for one in lists:
        read = certificates_in(one.pem.encode(), of=f"The trust list {one.name}")
        fresh = [each for each in read if each.pem not in seen]
        seen.update(each.pem for each in read)
        yield {
            "trust_anchors": "".join(each.pem for each in fresh if each.authority),
            "allowed_list": "".join(each.pem for each in fresh if not each.authority),
            "trust_uri": one.name,
            "trust_kind": "tsa" if one.kind == "tsa" else "manifest",
            "trust_config": "\n".join(STAMPING_USAGES if one.kind == "tsa" else SIGNING_USAGES),
        }


def _listed_signers(lists: Sequence[TrustList]) -> dict[str, str]:
    """The list of each signer that is in one itself, by serial number."""
    return {
        each.serial: one.name
        for one in reversed(lists)
        for each in certificates_in(one.pem.encode(), of=f"The trust list {one.name}")
        if not each.authority
    }


class CredentialReader:
    """Reads the credentials of files with the same trust lists; makes its context at the first file."""

    def __init__(
        self, lists: Sequence[TrustList] = (), revoked_serials: frozenset[str] = frozenset()
    ) -> None:
        lists = sorted(lists, key=lambda one: KINDS.index(one.kind))
        self._settings = settings_for(lists)
        self._known = Known({one.name: one.kind for one in lists}, _listed_signers(lists), revoked_serials)
        self._context: Any = None

    def read(self, file: BinaryIO, mime: str, sidecar: bytes = b"") -> Credentials:
        """The credentials of an open file, from itself or from its sidecar; whatever is wrong is said so."""
        if not sidecar and mime not in READABLE:
            if mime == UNKNOWN and has_remains(file):
                said = "The file is of no known format, but holds a manifest."
                return Credentials("invalid", (Problem(UNREADABLE, said),), place="embedded")
            return Credentials()
        source = _source(file)
        if self._context is None:
            self._context = c2pa.Context.from_dict(self._settings)
        try:
            return self._read(source, mime, sidecar)
        except (c2pa.C2paError, ValueError, RecursionError) as problem:
            return _without_manifest(problem, source, bool(sidecar))

    def pictures(self, file: BinaryIO, mime: str, sidecar: bytes = b"") -> tuple[bytes, bytes]:
        """The thumbnails that a manifest holds: of what the file was made from, and of the file as signed.

        The second is given where the file was changed since and the manifest was not. Empty without one.
        """
        if not sidecar and mime not in READABLE:
            return b"", b""
        context = self._context or c2pa.Context.from_dict(self._settings)
        more = (sidecar,) if sidecar else ()
        try:
            with c2pa.Reader(mime, _source(file), *more, context=context) as reader:
                store = json.loads(reader.json())
                active = store["manifests"][store["active_manifest"]]
                parents = [
                    one for one in active.get("ingredients", ()) if one.get("relationship") == "parentOf"
                ]
                own = active if was_edited(store) else {}
                return _thumbnail(reader, parents[0] if parents else {}), _thumbnail(reader, own)
        except (c2pa.C2paError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return b"", b""  # what is wrong with the manifest is said by `read`

    def _read(self, source: BinaryIO, mime: str, sidecar: bytes) -> Credentials:
        source.seek(0)
        if sidecar:
            reader = c2pa.Reader(mime, source, sidecar, context=self._context)
        else:
            reader = c2pa.Reader(mime, source, context=self._context)
        with reader:
            text = reader.json()
        if len(text) > MOST_STORE_CHARACTERS:
            said = f"The manifests take {len(text):,} characters; {MOST_STORE_CHARACTERS:,} are read."
            return Credentials("invalid", (Problem(UNREADABLE, said),))
        return credentials_of(text, place="sidecar" if sidecar else "embedded", known=self._known)


def _thumbnail(reader: Any, holder: Mapping[str, Any]) -> bytes:
    place = (holder.get("thumbnail") or {}).get("identifier")
    picture = io.BytesIO()
    if place:
        reader.resource_to_stream(place, picture)
    return picture.getvalue()


def _without_manifest(problem: Exception, source: BinaryIO, sidecar: bool) -> Credentials:
    """What to say of a file whose manifest the library does not give us."""
    said = str(problem)
    if remote := _REMOTE.search(said):
        explanation = "The manifest lies elsewhere and is not fetched."
        return Credentials("none", (Problem(INACCESSIBLE, explanation),), remote=remote[1][:500])
    if not sidecar and not has_remains(source):
        return Credentials()
    return Credentials(
        "invalid", (Problem(UNREADABLE, said[:300]),), place="sidecar" if sidecar else "embedded"
    )


@dataclass(frozen=True)
class SigningKey:
    """What signs: the certificates in PEM, and a key in PEM or something that signs bytes (a KMS).

    `authority` is the address of an RFC 3161 time stamper, asked while signing; empty asks nobody.
    """

    chain: bytes
    algorithm: Algorithm
    key: bytes | Callable[[bytes], bytes]
    authority: str = ""


@dataclass(frozen=True)
class Part:
    """Something an asset was made from: an open file with its type, title and relationship.

    `thumbnail` is a small JPEG of it, to be shown beside the asset.
    """

    file: BinaryIO
    mime: str
    title: str
    relationship: Literal["parentOf", "componentOf", "inputTo"] = "parentOf"
    thumbnail: bytes = b""


def sign(
    definition: Mapping[str, Any],
    source: BinaryIO,
    mime: str,
    *,
    key: SigningKey,
    out: BinaryIO,
    parts: Sequence[Part] = (),
    edit: bool = False,
    embed: bool = True,
    thumbnail: bytes = b"",
) -> bytes:
    """Write the signed asset to `out` and return its manifest; without `embed` the manifest alone counts.

    `edit` makes the source, or the part that is `parentOf`, the parent. `thumbnail` is a small JPEG of the
    asset: it shows later what was changed since. Raises SigningError.
    """
    failed: list[Exception] = []
    if thumbnail:
        definition = {**definition, "thumbnail": {"format": "image/jpeg", "identifier": _OWN}}
    try:
        with (
            _signer(key, failed) as signer,
            c2pa.Builder(json.dumps(definition), _signing_context(key)) as builder,
        ):
            if edit:
                builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
            if thumbnail:
                builder.add_resource(_OWN, io.BytesIO(thumbnail))
            for number, part in enumerate(parts):
                row: dict[str, Any] = {"title": part.title, "relationship": part.relationship}
                if part.thumbnail:
                    row["thumbnail"] = {"format": "image/jpeg", "identifier": f"part-{number}.jpg"}
                    builder.add_resource(f"part-{number}.jpg", io.BytesIO(part.thumbnail))
                builder.add_ingredient(json.dumps(row), part.mime, part.file)
            if not embed:
                builder.set_no_embed()
                mime = UNKNOWN if mime == _DOCUMENT else mime
            manifest: bytes = builder.sign(signer, mime, source, out)
    except c2pa.C2paError as problem:
        if failed and isinstance(failed[0], SigningError):
            raise failed[0] from None
        raise SigningError(
            f"The file cannot be signed: {str(problem)[:300]}.",
            "Check that it is whole, and that certificate and key belong together.",
        ) from None
    return manifest


def _signing_context(key: SigningKey) -> Any:
    settings = settings_for()
    if key.authority:
        settings["core"] = {"allowed_network_hosts": [urlsplit(key.authority).netloc]}
    return c2pa.Context.from_dict(settings)


def _signer(key: SigningKey, failed: list[Exception]) -> Any:
    """The library's signer; what a callback raises is kept in `failed`, since the library drops it."""
    if isinstance(key.key, bytes):
        info = c2pa.C2paSignerInfo(key.algorithm, key.chain, key.key, key.authority or None)
        return c2pa.Signer.from_info(info)
    callback = key.key

    def ask(data: bytes) -> bytes:
        try:
            return callback(data)
        except Exception as problem:
            failed.append(problem)
            raise

    algorithm = getattr(c2pa.C2paSigningAlg, key.algorithm.upper())
    return c2pa.Signer.from_callback(ask, algorithm, key.chain.decode(), key.authority or None)


def has_remains(source: BinaryIO) -> bool:
    """Whether the first or last bytes of a file hold boxes of a manifest, however broken."""
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    head = source.read(_LOOK_BYTES)
    source.seek(max(len(head), size - _LOOK_BYTES))
    return any(_has_boxes(part) for part in (head, source.read(_LOOK_BYTES)))


def _has_boxes(data: bytes) -> bool:
    return (_UUID_TAIL in data and _BOX.search(data) is not None) or b"<c2pa:manifest" in data


def _source(file: BinaryIO) -> BinaryIO:
    """The file, in memory unless it is large."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return io.BytesIO(file.read()) if size <= KEPT_BYTES else buffered(file)


_REMOTE = re.compile(r"must fetch remote manifests from url (\S+)")
_LOOK_BYTES = 16 << 20
_OWN = "signed.jpg"
_DOCUMENT = "application/pdf"  # for its sidecar the library hashes it in another way than it checks it
_UUID_TAIL = b"\x00\x11\x00\x10\x80\x00\x00\xaa\x008\x9bq"
# The types of a store, a manifest, a claim, a signature and an assertion store.
_BOX = re.compile(rb"c2(?:pa|ma|um|cl|cs|as)" + re.escape(_UUID_TAIL))
