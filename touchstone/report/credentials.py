"""Content Credentials as lines: a card for the terminal, and facts for the report's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provenance.credentials import Action, Credentials, Ingredient, Manifest
from provenance.examine import Declared
from provenance.metadata.claims import Claim
from provenance.words import claim_words, credentials_sentence, problem_words, signer_words, source_sentence
from touchstone.report.wording import visible

_MOST_FACTS = 60


def told(path: str, declared: Declared) -> Iterator[str]:
    """A file's credentials and claims as lines for a terminal."""
    found = declared.credentials
    yield visible(path)
    for line in _state(found):
        yield f"  {visible(line)}"
    if found.state == "invalid":
        yield from (f"  - {problem.code}: {visible(problem_words(problem))}" for problem in found.problems)
    if found.manifest is not None:
        yield from (f"  {visible(line)}" for line in _manifest(found.manifest, ""))
    yield from (f"  Claimed: {visible(claim_words(claim))}" for claim in declared.claims)


def facts(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the section `provenance` of a report says of credentials and claims, as named facts.

    Raises KeyError or TypeError for a section that no scan of ours wrote.
    """
    found: list[tuple[str, str]] = []
    if provenance["c2pa"] is not None:
        credentials = Credentials.from_dict(provenance["c2pa"])
        name = "Content Credentials"
        found += [(name, line) for line in _state(credentials)]
        if credentials.state == "invalid":
            found += [(name, problem_words(problem)) for problem in credentials.problems]
        if signed := signer_words(credentials):
            found.append((name, signed))
        if credentials.manifest is not None:
            found += [(name, line.strip()) for line in _manifest(credentials.manifest, "")]
    found += [("Claimed", claim_words(Claim(**row))) for row in provenance.get("claims", ())]
    return found[:_MOST_FACTS]


def _state(found: Credentials) -> Iterator[str]:
    """The state, and what else is known beside the manifest itself."""
    yield credentials_sentence(found)
    if said := source_sentence(found):
        yield said
    if found.remote:
        yield f"Given address: {found.remote}"
    if found.place == "sidecar":
        yield "From a sidecar beside the file."
    if found.trust_list:
        yield f"Trust list: {found.trust_list}"
    if found.time_stamp:
        yield f"Time stamp by {'a listed' if found.time_stamp == 'trusted' else 'an unlisted'} authority."


def _manifest(manifest: Manifest, margin: str) -> Iterator[str]:
    yield f"{margin}{manifest.title or 'untitled'}, by {manifest.generator or 'an unnamed tool'}"
    if signer := manifest.signer:
        named = ", ".join(part for part in (signer.name, signer.organisation) if part)
        when = f", {manifest.time}" if manifest.time else ""
        how = f"{signer.algorithm}, {signer.serial}"
        yield f"{margin}  signed by {named or 'an unnamed signer'} ({how}){when}"
    yield from (f"{margin}  {_action(action)}" for action in manifest.actions)
    for ingredient in manifest.ingredients:
        yield from _ingredient(ingredient, margin + "  ")
    if manifest.left_out:
        yield f"{margin}  and {manifest.left_out} more, left out"


def _action(action: Action) -> str:
    details = (action.source_type.rpartition("/")[2], action.agent, action.when, action.description)
    said = ", ".join(detail for detail in details if detail)
    return f"{action.name}: {said}" if said else action.name


def _ingredient(ingredient: Ingredient, margin: str) -> Iterator[str]:
    codes = ", ".join(problem.code for problem in ingredient.problems)
    state = f"{ingredient.state}: {codes}" if ingredient.state == "invalid" else ingredient.state
    yield f"{margin}{ingredient.relationship} {ingredient.title or 'untitled'} [{state}]"
    if ingredient.manifest is not None:
        yield from _manifest(ingredient.manifest, margin + "  ")
