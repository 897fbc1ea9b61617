"""What a file declares of itself, as its report shows it: a section, and findings without weight.

The verdict does not look at any of it yet: anyone can write or remove a claim, and a signature says who
speaks, not that it is true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from evidence.medium import MediaInfo
from evidence.verdict import Finding, nothing_claimed
from provenance.examine import Declared
from provenance.words import claim_words, credentials_sentence, signer_words, source_sentence

MOST_FINDINGS = 10
_ANYONE = "Anyone can write or remove such a claim: it is never proof."


def provenance_of(info: MediaInfo | None, declared: Declared | None) -> dict[str, Any]:
    """The section `provenance` of a report; `c2pa` is null where nobody could look."""
    found = nothing_claimed()
    if info is not None:
        found["metadata"] = list(_lines(info))
    if declared is not None:
        found["c2pa"] = declared.credentials.to_dict()
        found["claims"] = [asdict(claim) for claim in declared.claims]
    return found


def findings_of(declared: Declared | None) -> tuple[Finding, ...]:
    """The evidence that a file brings along: credentials, and claims that a machine had a part in it."""
    return tuple(_findings(declared))[:MOST_FINDINGS] if declared is not None else ()


def _findings(declared: Declared) -> Iterator[Finding]:
    credentials = declared.credentials
    if credentials.state != "none" or credentials.remote:
        detail = " ".join(filter(None, (source_sentence(credentials), signer_words(credentials))))
        yield Finding("c2pa", credentials_sentence(credentials), 0.0, detail)
    for claim in declared.claims:
        if claim.says in ("generated", "composite"):
            yield Finding("metadata", f"The metadata claim: {claim_words(claim)}.", 0.0, _ANYONE)


def _lines(info: MediaInfo) -> Iterator[str]:
    """What the file says of itself, a line a claim, such as "exif Software: GIMP 2.10"."""
    for source, said in info.metadata.items():
        if isinstance(said, dict):
            yield from (f"{source} {name}: {value}" for name, value in said.items())
        else:
            yield f"{source}: {said}"
