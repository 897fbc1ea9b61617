"""The sentences for what a file declares. They hold words of the file as it has them: writers escape."""

from __future__ import annotations

from collections.abc import Sequence

from provenance.credentials import CAPTURED, COMPOSED, GENERATED, Credentials, Problem, declared_source
from provenance.metadata.claims import Claim

_CLAIMED = {
    "generated": "generated",
    "composite": "altered by a machine",
    "edited": "edited",
    "captured": "captured by a camera",
}
_STATES = {
    "none": "No Content Credentials.",
    "untrusted": "Content Credentials hold, signed by somebody no trust list knows.",
    "interim": "Content Credentials hold, signed by somebody on the interim list, frozen on 2026-01-01.",
    "trusted": "Content Credentials hold, signed by somebody on a trust list.",
}
_CHANGED = "The file is not as it was signed: its content was changed, or cut, or saved anew."
_BROKEN = {
    "assertion.dataHash.mismatch": _CHANGED,
    "assertion.bmffHash.mismatch": _CHANGED,
    "assertion.boxesHash.mismatch": _CHANGED,
    "assertion.hashedURI.mismatch": "A statement of the manifest was changed after it was signed.",
    "assertion.missing": "A statement that was signed is gone from the manifest.",
    "claimSignature.mismatch": "The signature does not fit what is signed: the claim was changed or made up.",
    "signingCredential.untrusted": "No trust list knows who signed.",
    "signingCredential.expired": "The signer's certificate was out of date when it signed.",
    "signingCredential.invalid": "The signer's certificate is none that may sign.",
    "ingredient.manifest.mismatch": "The manifest of what it was made from was changed.",
}


def credentials_sentence(credentials: Credentials) -> str:
    """The state in one sentence."""
    if credentials.remote:
        return "The Content Credentials lie elsewhere and were not fetched."
    if credentials.state == "invalid":
        codes = ", ".join(_grave(credentials.problems))
        return f"Content Credentials that do not hold: {codes or 'unreadable'}."
    if credentials.revoked:
        return "Content Credentials of a signer whose certificate was revoked."
    return _STATES[credentials.state]


def _grave(problems: Sequence[Problem]) -> list[str]:
    """The codes of what broke; that nobody knows the signer breaks nothing."""
    found = [problem.code for problem in problems]
    return [code for code in found if not code.endswith(".untrusted")] or found


def problem_words(problem: Problem) -> str:
    """What broke, in words, the library's where we have none, and the part of the manifest that tells."""
    said = _BROKEN.get(problem.code) or problem.explanation or "It does not hold."
    return f"{said} ({problem.where})" if problem.where else said


def source_sentence(credentials: Credentials) -> str:
    """What the manifest declares of its source, in words; empty when it declares nothing."""
    kind = declared_source(credentials)
    if kind in GENERATED:
        return f"Declared as made by a machine ({kind})."
    if kind in COMPOSED:
        return f"Declared as made in part by a machine ({kind})."
    if kind in CAPTURED:
        return f"Declared as captured by a camera ({kind}); that is the signer's word, no proof."
    return f"Declared source: {kind}." if kind else ""


def signer_words(credentials: Credentials) -> str:
    """Who signed and when, as the certificate says; empty where nobody did."""
    manifest = credentials.manifest
    if manifest is None or manifest.signer is None:
        return ""
    named = ", ".join(filter(None, (manifest.signer.name, manifest.signer.organisation)))
    when = f" at {manifest.time}" if manifest.time else ""
    return f"Signed by {named or 'an unnamed signer'}{when}."


def claim_words(claim: Claim) -> str:
    """A claim in words, with where it stands and what stands there."""
    by = f" by {claim.generator}" if claim.generator else ""
    return f"{_CLAIMED[claim.says]}{by}, in {claim.field}: {claim.value}"
