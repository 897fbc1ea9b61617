"""From the detector's word and what stands beside it to the verdict: one rule set, each rule with its weight.

1. The watermark that this installation puts into what it generates decides `fake`: its key is secret.
2. Content Credentials that hold and declare a machine decide `fake`, whatever the pixels say. Who signed is
   told: an unlisted signer weighs less, since anybody may sign a genuine picture away.
3. A claim without a valid signature, in metadata or in credentials that do not hold, decides nothing: it
   takes a `real` back to `uncertain`, and makes no `fake`.
4. Credentials of a listed camera that hold take a `fake` back to `uncertain`. They never make a `real`: a
   camera also photographs screens.
5. What has the bytes of a file that was generated here or flagged decides `fake`; what only looks like one
   takes a `real` back, since it may be a copy of it or what it was made from.
6. Credentials that do not hold raise nothing. What breaks them may be an edit, or only a resize on the way.

Weights are log odds, positive for fake, on the scale of the detector's own (at most 7 either way). They tell
how much each finding counts among the others; the verdict comes from the rules, not from their sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evidence.verdict import DecidedBy, Finding, Reason, Verdict
from provenance.credentials import CAPTURED, COMPOSED, GENERATED, Credentials, declared_source
from provenance.examine import Declared
from provenance.seen import Origin, Seen, Sighting, rate_words, sighting_words
from provenance.watermark.detect import Mark
from provenance.words import claim_words, credentials_sentence, signer_words, source_sentence

SIGNED, SIGNED_BY_ANYONE, CLAIMED, CAMERA = 7.0, 4.0, 2.0, -2.0
KNOWN, RESEMBLES = 7.0, 3.0
_FORGED: tuple[Origin, ...] = ("generated", "flagged")
MOST_FINDINGS, MOST_SIGHTINGS = 10, 5

_ANYONE = "Anyone can write or remove such a claim: it is never proof."
_WATERMARKED = "It carries the watermark that this installation puts into what it generates"
_BOUND = "a picture that does not carry it does as well no more often than that."
_UNLISTED = "No trust list knows the signer, so anybody may have signed it."


@dataclass(frozen=True)
class Fused:
    """The verdict after all evidence, why it is not the detector's where it is not, and who decided it."""

    verdict: Verdict
    reason: Reason | None
    decided_by: DecidedBy = "detector"


def fuse(
    verdict: Verdict, reason: Reason | None, declared: Declared | None, mark: Mark | None = None
) -> Fused:
    """The rules, the first that fits; `verdict` and `reason` are the detector's."""
    if mark is not None and mark.present:
        return Fused("fake", Reason("watermarked", f"{_WATERMARKED} ({_chance(mark)})."), "watermark")
    if declared is None:
        return Fused(verdict, reason)
    credentials = declared.credentials
    if credentials.stands and _by_machine(credentials):
        return Fused("fake", Reason("declared", _declaration(credentials)), "c2pa")
    if verdict == "real" and (claim := next(_machine_claims(declared), "")):
        message = (
            f"The pixels read as real, but the file says otherwise: {claim}. {_ANYONE} "
            "Ask where the file comes from, or find a copy that was never edited."
        )
        return Fused("uncertain", Reason("claimed", message))
    if verdict == "fake" and _by_listed_camera(credentials):
        message = (
            "The pixels read as fake, but Content Credentials that hold say that a camera took it. "
            f"{signer_words(credentials)} Ask the signer for the original."
        )
        return Fused("uncertain", Reason("credentials_against_pixels", message.replace("  ", " ")))
    return Fused(verdict, reason)


def fuse_seen(fused: Fused, seen: Seen) -> Fused:
    """The rule for the registry, which is asked after all else; `fused` is what the others say."""
    forged = [one for one in seen.sightings if one.origin in _FORGED]
    same = next((one for one in forged if one.how == "bytes"), None)
    if same is not None and fused.decided_by == "detector":
        return Fused("fake", Reason("known", sighting_words(same)), "registry")
    if forged and fused.verdict == "real":
        message = (
            f"The pixels read as real, but: {sighting_words(forged[0])} This may be a copy of that, or what "
            "it was made from. Compare the two."
        )
        return Fused("uncertain", Reason("resembles_known", message))
    return fused


def seen_findings(seen: Seen) -> tuple[Finding, ...]:
    """The sightings as evidence, the surest first."""
    return tuple(
        Finding("registry", sighting_words(one), _weight_of(one), rate_words(one))
        for one in seen.sightings[:MOST_SIGHTINGS]
    )


def _weight_of(sighting: Sighting) -> float:
    if sighting.origin not in _FORGED:
        return 0.0
    return KNOWN if sighting.how == "bytes" else RESEMBLES


def findings_of(declared: Declared | None, mark: Mark | None = None) -> tuple[Finding, ...]:
    """The evidence beside the pixels, weighed: watermark, credentials, claims of a machine's part in it."""
    found = (
        [Finding("watermark", f"{_WATERMARKED}.", SIGNED, f"{_chance(mark)}: {_BOUND}")]
        if mark and mark.present
        else []
    )
    return (*found, *(_findings(declared) if declared is not None else ()))[:MOST_FINDINGS]


def _findings(declared: Declared) -> Iterator[Finding]:
    credentials = declared.credentials
    if credentials.state != "none" or credentials.remote:
        detail = (
            source_sentence(credentials),
            signer_words(credentials),
            _why(weight := _weight(credentials), credentials),
        )
        yield Finding("c2pa", credentials_sentence(credentials), weight, " ".join(filter(None, detail)))
    for claim in declared.claims:
        if claim.says in ("generated", "composite"):
            yield Finding("metadata", f"The metadata claim: {claim_words(claim)}.", CLAIMED, _ANYONE)


def _chance(mark: Mark) -> str:
    return f"p ≤ {mark.p_value:.0e}"


def _weight(credentials: Credentials) -> float:
    if _by_machine(credentials):
        if not credentials.stands:
            return CLAIMED
        return SIGNED_BY_ANYONE if credentials.state == "untrusted" else SIGNED
    return CAMERA if _by_listed_camera(credentials) else 0.0


def _why(weight: float, credentials: Credentials) -> str:
    """Why it counts as much as it does."""
    if weight == SIGNED_BY_ANYONE:
        return _UNLISTED
    if weight == CLAIMED:
        return "Since they do not hold, this is a claim: it decides nothing."
    if weight == CAMERA:
        return "A camera also photographs screens: this is no proof that the scene took place."
    return "" if weight else "This speaks neither for nor against the medium."


def _declaration(credentials: Credentials) -> str:
    said = f"Its Content Credentials hold. {source_sentence(credentials)} {signer_words(credentials)}".strip()
    return f"{said} {_UNLISTED}" if credentials.state == "untrusted" else said


def _by_machine(credentials: Credentials) -> bool:
    return declared_source(credentials) in (*GENERATED, *COMPOSED)


def _by_listed_camera(credentials: Credentials) -> bool:
    listed = credentials.state == "trusted" and credentials.stands
    return listed and declared_source(credentials) in CAPTURED


def _machine_claims(declared: Declared) -> Iterator[str]:
    """What the file says of a machine without a signature that holds, in words."""
    if _by_machine(declared.credentials):
        yield f"credentials that do not hold: {source_sentence(declared.credentials).rstrip('.')}"
    for claim in declared.claims:
        if claim.says in ("generated", "composite"):
            yield claim_words(claim)
