"""The words for Content Credentials: states, the tree of manifests, and what they do not mean."""

from __future__ import annotations

from collections.abc import Iterator

from provenance.credentials import (
    CAPTURED,
    COMPOSED,
    GENERATED,
    Credentials,
    Ingredient,
    Manifest,
    declared_source,
)
from provenance.examine import Declared
from touchstone.report.wording import visible

_STATES = {
    "none": "No Content Credentials.",
    "invalid": "Content Credentials that do not hold",
    "untrusted": "Content Credentials hold, signed by somebody no trust list knows.",
    "interim": "Content Credentials hold, signed by somebody on the interim list, frozen on 2026-01-01.",
    "trusted": "Content Credentials hold, signed by somebody on a trust list.",
}


def sentence(credentials: Credentials) -> str:
    """The state in one sentence."""
    if credentials.remote:
        return "The Content Credentials lie elsewhere and were not fetched."
    if credentials.state == "invalid":
        codes = ", ".join(problem.code for problem in credentials.problems)
        return f"{_STATES['invalid']}: {codes or 'unreadable'}."
    if credentials.revoked:
        return "Content Credentials of a signer whose certificate was revoked."
    return _STATES[credentials.state]


def source_sentence(credentials: Credentials) -> str:
    """What the manifest declares of its source, in words; empty when it declares nothing."""
    kind = declared_source(credentials)
    if kind in GENERATED:
        return f"Declared as made by a machine ({kind})."
    if kind in COMPOSED:
        return f"Declared as made in part by a machine ({kind})."
    if kind in CAPTURED:
        return f"Declared as captured by a camera ({kind}); that is the signer's word, no proof."
    return f"Declared source: {visible(kind)}." if kind else ""


def told(path: str, declared: Declared) -> Iterator[str]:
    """A file's credentials and claims as lines for a terminal."""
    found = declared.credentials
    yield visible(path)
    yield f"  {sentence(found)}"
    if said := source_sentence(found):
        yield f"  {said}"
    if found.remote:
        yield f"  Given address: {visible(found.remote)}"
    if found.place == "sidecar":
        yield "  From a sidecar beside the file."
    if found.trust_list:
        yield f"  Trust list: {visible(found.trust_list)}"
    if found.time_stamp:
        yield f"  Time stamp by {'a listed' if found.time_stamp == 'trusted' else 'an unlisted'} authority."
    if found.state == "invalid":
        yield from (f"  - {problem.code}: {visible(problem.explanation)}" for problem in found.problems)
    if found.manifest is not None:
        yield from _manifest(found.manifest, "  ")


def _manifest(manifest: Manifest, margin: str) -> Iterator[str]:
    title, tool = visible(manifest.title), visible(manifest.generator)
    yield f"{margin}{title or 'untitled'}, by {tool or 'an unnamed tool'}"
    if signer := manifest.signer:
        named = ", ".join(visible(part) for part in (signer.name, signer.organisation) if part)
        when = f", {visible(manifest.time)}" if manifest.time else ""
        yield f"{margin}  signed by {named or 'an unnamed signer'} ({visible(signer.algorithm)}){when}"
    for action in manifest.actions:
        details = (action.source_type.rpartition("/")[2], action.agent, action.when, action.description)
        said = ", ".join(visible(detail) for detail in details if detail)
        yield f"{margin}  {visible(action.name)}{f': {said}' if said else ''}"
    for ingredient in manifest.ingredients:
        yield from _ingredient(ingredient, margin + "  ")
    if manifest.left_out:
        yield f"{margin}  and {manifest.left_out} more, left out"


def _ingredient(ingredient: Ingredient, margin: str) -> Iterator[str]:
    title = visible(ingredient.title) or "untitled"
    codes = ", ".join(problem.code for problem in ingredient.problems)
    state = f"{ingredient.state}: {codes}" if ingredient.state == "invalid" else ingredient.state
    yield f"{margin}{visible(ingredient.relationship)} {title} [{state}]"
    if ingredient.manifest is not None:
        yield from _manifest(ingredient.manifest, margin + "  ")
