"""Which generator or editor a file's metadata name: {field, value, generator, says, confidence "claimed"}.

Anyone can write or remove these words, so each is a claim, whatever it says. A rule looks where that
program writes and for how it writes there, never for its name anywhere: a picture of a poster for an
image generator is no generated picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from provenance.metadata.blocks import blocks
from provenance.metadata.fields import Field, fields_of
from provenance.metadata.programs import EDITORS, GENERATORS

Says = Literal["generated", "composite", "edited", "captured"]

MOST_CLAIMS = 50
MOST_CHARACTERS = 300


@dataclass(frozen=True)
class Claim:
    """One claim: where it stands, what stands there (cut), whom it names, and what that would mean."""

    field: str
    value: str
    generator: str
    says: Says
    confidence: str = "claimed"


def read_claims(file: BinaryIO, mime: str) -> tuple[Claim, ...]:
    """The claims in an open file of this type, in its order, each once."""
    found = dict.fromkeys(claims_in(field for block in blocks(file, mime) for field in fields_of(block)))
    return tuple(found)[:MOST_CLAIMS]


def claims_in(fields: Iterable[Field]) -> Iterator[Claim]:
    """The claims that these fields make."""
    for field in fields:
        for generator, says in _named(field):
            yield Claim(field.name[:80], _short(field.value), generator, says)


def _named(field: Field) -> Iterator[tuple[str, Says]]:
    """Whom a field names, by the first rule for its place that fits."""
    if source := _SOURCE_TYPES.get(_last_word(field.value)) if field.place == "source_type" else None:
        yield "", source
        return
    for rule in _RULES:
        if field.place in rule.places and rule.pattern.search(field.value):
            yield rule.generator, rule.says
            return
    if field.place in ("tool", "credit"):
        for name, pattern in GENERATORS:
            if pattern.search(field.value):
                yield name, "generated"
                return
    if field.place == "tool":
        for name, pattern, says in EDITORS:
            if pattern.search(field.value):
                yield name, says
                return


@dataclass(frozen=True)
class _Rule:
    """A way of writing that is one program's own, in the places where it writes."""

    generator: str
    places: tuple[str, ...]
    pattern: re.Pattern[str]
    says: Says = "generated"


def _rule(generator: str, places: str, pattern: str, says: Says = "generated") -> _Rule:
    return _Rule(generator, tuple(places.split()), re.compile(pattern, re.IGNORECASE | re.DOTALL), says)


def _last_word(address: str) -> str:
    return re.split(r"[/#:]", address.strip().rstrip("/"))[-1]


def _short(value: str) -> str:
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in value[:2000]).split())
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


_PROGRAM_TEXTS = "text:parameters comment description"
_RULES = (
    # A1111 and its kin write a paragraph: prompt, negative prompt, then settings. Forge counts versions by f.
    _rule(
        "SwarmUI",
        f"text:sui_image_params {_PROGRAM_TEXTS}",
        r'"sui_image_params"|^\s*\{\s*"prompt".*"swarm_version"',
    ),
    _rule("Fooocus", "text:fooocus_scheme", r"."),
    _rule("Fooocus", _PROGRAM_TEXTS, r"version:\s*fooocus|\"version\":\s*\"fooocus"),
    _rule("Stable Diffusion web UI Forge", _PROGRAM_TEXTS, r"steps: \d+, sampler: .*version: f\d"),
    _rule("Stable Diffusion web UI", _PROGRAM_TEXTS, r"steps: \d+, (sampler|schedule|cfg scale|size): "),
    _rule(
        "ComfyUI",
        "text:prompt text:workflow comment",
        r'"class_type"\s*:|"last_node_id"\s*:|"nodes"\s*:\s*\[',
    ),
    _rule(
        "InvokeAI",
        "text:invokeai_metadata text:invokeai_graph text:invokeai_workflow text:sd-metadata",
        r"^\s*\{",
    ),
    _rule("InvokeAI", "text:Dream", r" -s ?\d+ .*-S ?\d+| -C ?\d"),
    _rule("NovelAI", "text:Source text:Software tool", r"^NovelAI\b|^Stable Diffusion (XL )?[0-9A-F]{8}$"),
    _rule("NovelAI", "comment text:Comment", r'^\s*\{.*"sampler".*"(uc|noise_schedule|request_type)"'),
    _rule("Easy Diffusion", "text:use_stable_diffusion_model", r"."),
    _rule("Draw Things", "comment", r'^\s*\{.*"c"\s*:.*"(seed|sampler|steps)"\s*:.*"(v2|model)"'),
    # Midjourney ends its description with the number of the job.
    _rule(
        "Midjourney",
        "description comment text:Description",
        r"\bjob id: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-",
    ),
    _rule("Grok", "description", r"^signature: [A-Za-z0-9+/]{60,}={0,2}$"),
    _rule("Google AI", "credit", r"^(made|edited) with google ai$"),
    _rule("Meta AI", "credit description", r"^imagined with (meta )?ai\b"),
    # China's label of generated content, TC260 (GB 45438-2025).
    _rule("", "aigc", r'"label"\s*:\s*"?[123]|"aigc"|ContentProducer'),
    _rule("", "ai_prompt", r"\S"),
    # IPTC 2025.1 has a field for the system; whatever stands there names one.
    _rule("", "ai_system", r"\S"),
)
_SOURCE_TYPES: dict[str, Says] = {
    "trainedAlgorithmicMedia": "generated",
    "algorithmicMedia": "generated",
    "compositeWithTrainedAlgorithmicMedia": "composite",
    "compositeSynthetic": "composite",
    "algorithmicallyEnhanced": "composite",
    "digitalCapture": "captured",
    "computationalCapture": "captured",
    "negativeFilm": "captured",
    "positiveFilm": "captured",
    "print": "captured",
}
