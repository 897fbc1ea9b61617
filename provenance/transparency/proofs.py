"""Proofs that an entry is in a log, to be checked anywhere with the log's public key alone.

A proof is the text of c2sp.org/tlog-proof: the entry's place, the hashes beside its way up, and the signed
head. Beside it stands the entry: `{"entry": {...}, "proof": "c2sp.org/tlog-proof@v1..."}`, as a document of
its own or as `provenance.log` of the report that it is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenance.transparency.canonical import canonical
from provenance.transparency.entries import PROOF, Entry, report_sha256
from provenance.transparency.errors import LogError
from provenance.transparency.merkle import HASH_BYTES, includes, leaf_hash
from provenance.transparency.notes import Head, PublicKey, from_base64, is_number, peek, to_base64

_PARTS = {"entry", "proof"}
_FIRST_LINE = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Proof:
    """Where an entry is in a log, and what shows it."""

    index: int
    path: Sequence[bytes]
    head: str  # the signed note

    def text(self) -> str:
        """The proof as it is handed on."""
        lines = [_FIRST_LINE, f"index {self.index}", *map(to_base64, self.path)]
        return "\n".join(lines) + f"\n\n{self.head}"

    @classmethod
    def read(cls, text: str) -> Proof:
        """A proof as `text` writes it. Raises LogError for anything else."""
        above, blank, head = text.partition("\n\n")
        lines = above.split("\n")
        if not blank or lines[0] != _FIRST_LINE:
            raise LogError("This is no proof of a log.", f"One begins with {_FIRST_LINE}.")
        if len(lines) > 1 and lines[1].startswith("extra "):
            del lines[1]  # nothing vouches for it
        number = lines[1].removeprefix("index ") if len(lines) > 1 else ""
        if not is_number(number):
            raise LogError("The proof does not say which entry it is of.", "Ask the log for it again.")
        path = [from_base64(line, "A hash of the proof") for line in lines[2:]]
        if len(path) > 64 or any(len(node) != HASH_BYTES for node in path):
            raise LogError("The proof holds what is no sha256.", "Ask the log for it again.")
        return cls(int(number), path, head)


@dataclass(frozen=True)
class Proved:
    """What a proof was found to show: the entry, its place, and the head it is under."""

    entry: Entry
    index: int
    head: Head


def document(entry: bytes, proof: Proof) -> dict[str, Any]:
    """An entry with its proof, as plain JSON types."""
    return {"entry": json.loads(entry), "proof": proof.text()}


def with_proof(report: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """A report that carries its proof; its place is the end of `provenance`."""
    provenance = {name: part for name, part in report["provenance"].items() if name != PROOF}
    return {**report, "provenance": {**provenance, PROOF: found}}


def proof_in(said: Any) -> Mapping[str, Any] | None:
    """The document of a proof in a report, or what is itself one; None where there is none."""
    if not isinstance(said, Mapping):
        return None
    provenance = said.get("provenance")
    found = provenance.get(PROOF) if isinstance(provenance, Mapping) else said
    return found if isinstance(found, Mapping) and found.keys() >= _PARTS else None


def check(said: Mapping[str, Any], key: PublicKey) -> Proved:
    """What the proof in a report, or a proof alone, shows. Raises LogError when it does not hold.

    Of a report every field must be as it was when the log took it.
    """
    found = proof_in(said)
    if found is None or found.keys() != _PARTS or not isinstance(found["entry"], dict):
        raise LogError("There is no proof in here.", "`touchstone log prove` adds one to a report.")
    entry, proof = found["entry"], Proof.read(str(found["proof"]))
    head = Head.signed(proof.head, key)
    if not includes(leaf_hash(canonical(entry)), proof.index, proof.path, head.size, head.root):
        raise LogError(
            f"The proof does not show this entry at place {proof.index} of {head.size}.",
            "The entry or the proof was changed, or they do not belong together.",
        )
    if found is not said:
        _belongs(said, entry)
    return Proved(entry, proof.index, head)


def head_of(said: Mapping[str, Any]) -> Head:
    """The head that a proof stands under, whoever signed it. Raises LogError."""
    found = proof_in(said)
    if found is None:
        raise LogError("There is no proof in here.", "`touchstone log prove` adds one to a report.")
    return peek(Proof.read(found["proof"]).head)


def place_of(said: Mapping[str, Any]) -> int:
    """The place of the entry in its log, as its proof has it. Raises LogError."""
    found = proof_in(said)
    return Proof.read(found["proof"] if found else "").index


def _belongs(report: Mapping[str, Any], entry: Entry) -> None:
    """Raise LogError unless the entry is about this report."""
    try:
        medium, fresh = report["media"]["sha256"], report_sha256(report)
    except (KeyError, TypeError, AttributeError):
        raise LogError("This is no report of a scan.", "Hand in the report as it was written.") from None
    if entry.get("media_sha256") != medium:
        raise LogError(
            f"The proof belongs to another report: of the medium {entry.get('media_sha256')}, not {medium}.",
            "Ask the log for the proof of this report.",
        )
    if entry.get("report_sha256") != fresh:
        raise LogError(
            "The report is not the one that was logged: it was changed since, or its proof is of another "
            "scan of the same medium.",
            f"The log says {entry.get('verdict') or 'no verdict'} of it at {entry.get('time')}.",
        )
