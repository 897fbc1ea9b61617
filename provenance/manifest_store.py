"""From the JSON that c2pa-python gives of a manifest store to `Credentials`, bounded in every direction.

Whoever made the file chose its words, its tree and its size, so strings are cut, lists are ended, and a
manifest that is its own ancestor is named once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from provenance.credentials import Action, Credentials, Ingredient, Manifest, Problem, Signer, State

MOST_CHARACTERS = 500
MOST_ACTIONS = 100
MOST_INGREDIENTS = 100
MOST_MANIFESTS = 300
DEEPEST = 24
MOST_PROBLEMS = 20
MOST_REPORTED = 500_000  # characters of JSON
_KEPT = 10

_UNTRUSTED = ("signingCredential.untrusted", "timeStamp.untrusted")
_FOUND_IN = re.compile(r"found in \[([^\]]*)\]")
CONTENT_CHANGED = (
    "assertion.dataHash.mismatch",
    "assertion.bmffHash.mismatch",
    "assertion.boxesHash.mismatch",
)
_PART = re.compile(r"/([^/]+)$")  # of an address within the manifests
_REVOKED = ("signingCredential.ocsp.revoked", "signingCredential.revoked")

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """What we know of signers: the kind of each list by its name, the list of each signer that is listed
    itself by its serial number, and the serial numbers that are revoked."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    signers: Mapping[str, str] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()


def credentials_of(
    text: str,
    *,
    place: Literal["embedded", "sidecar"],
    known: Known,
) -> Credentials:
    """The credentials that a reader's JSON describes, judged by what is `known` of signers."""
    store = _mapping(json.loads(text))
    results = _mapping(store.get("validation_results"))
    active = _mapping(results.get("activeManifest"))
    found = _Store(_mapping(store.get("manifests")), results, known)
    manifest = _slim(found.manifest(str(store.get("active_manifest") or "")))
    serial = manifest.signer.serial if manifest and manifest.signer else ""
    trust_list = str(results.get("trustListUri") or "") or known.signers.get(serial, "")
    state = _state(_text(store.get("validation_state")), known.kinds.get(trust_list, ""))
    codes = {*_codes(active, "success"), *_codes(active, "informational"), *_codes(active, "failure")}
    return Credentials(
        state=state,
        problems=tuple(_problems(_failures(results)))[:MOST_PROBLEMS],
        revoked=bool(codes.intersection(_REVOKED)) or serial in known.revoked,
        time_stamp=_time_stamp(codes),
        trust_list=trust_list if state in ("interim", "trusted") else "",
        place=place,
        manifest=manifest,
    )


def was_edited(store: Json) -> bool:
    """Whether a file was changed after it was signed, and the manifest that says so is whole itself."""
    active = _mapping(_mapping(store.get("validation_results")).get("activeManifest"))
    codes = {*_codes(active, "failure")}.difference(_UNTRUSTED)
    return bool(codes) and codes.issubset(CONTENT_CHANGED)


def _slim(manifest: Manifest | None) -> Manifest | None:
    """The manifest, or of one that is too long to be shown its own words without what lies below."""
    if manifest is None or len(json.dumps(asdict(manifest))) <= MOST_REPORTED:
        return manifest
    kept = manifest.ingredients[:_KEPT]
    below = len(manifest.ingredients) - len(kept)
    lost = max(0, len(manifest.actions) - _KEPT) + below + sum(one.manifest is not None for one in kept)
    bare = tuple(replace(one, problems=one.problems[:1], manifest=None) for one in kept)
    return replace(
        manifest, actions=manifest.actions[:_KEPT], ingredients=bare, left_out=manifest.left_out + lost
    )


def _state(said: str, kind: str) -> State:
    """Our word for the library's, given the kind of the list that knows the signer.

    The library lets a list of time stampers vouch for signers as well; we do not.
    """
    if said == "Trusted" and kind in ("official", "user", "interim"):
        return "interim" if kind == "interim" else "trusted"
    return "untrusted" if said in ("Valid", "Trusted") else "invalid"


def _time_stamp(codes: set[str]) -> Literal["", "untrusted", "trusted"]:
    if "timeStamp.trusted" in codes:
        return "trusted"
    return "untrusted" if "timeStamp.validated" in codes else ""


class _Store:
    """The manifests by label, walked from the active one; counts what it has shown."""

    def __init__(self, manifests: Json, results: Json, known: Known) -> None:
        self._manifests = manifests
        self._deltas = [_mapping(row) for row in _list(results.get("ingredientDeltas"))]
        self._known = known
        self._shown = 0

    def manifest(self, label: str, above: tuple[str, ...] = ()) -> Manifest | None:
        """The manifest called `label` and what it was made from; None when it is not there or is above."""
        fields = _mapping(self._manifests.get(label))
        if not fields or label in above or len(above) >= DEEPEST or self._shown >= MOST_MANIFESTS:
            return None
        self._shown += 1
        actions = list(_actions(fields))
        rows = [_mapping(row) for row in _list(fields.get("ingredients"))]
        return Manifest(
            label=_text(label),
            title=_text(fields.get("title")),
            generator=_generator(fields),
            signer=_signer(_mapping(fields.get("signature_info"))),
            time=_text(_mapping(fields.get("signature_info")).get("time")),
            actions=tuple(actions[:MOST_ACTIONS]),
            ingredients=tuple(self._ingredient(row, (*above, label)) for row in rows[:MOST_INGREDIENTS]),
            left_out=max(0, len(actions) - MOST_ACTIONS) + max(0, len(rows) - MOST_INGREDIENTS),
        )

    def _ingredient(self, fields: Json, above: tuple[str, ...]) -> Ingredient:
        """What an ingredient was when it was taken in, as its taker recorded, and what has changed since."""
        label = str(fields.get("active_manifest") or "")
        recorded = _mapping(_mapping(fields.get("validation_results")).get("activeManifest"))
        place = f"/{above[-1]}/c2pa.assertions/{fields.get('label')}"
        ours = [
            _mapping(delta.get("validationDeltas"))
            for delta in self._deltas
            if str(delta.get("ingredientAssertionURI", "")).endswith(place)
        ]
        failures = [
            *_rows(recorded, "failure"),
            *map(_mapping, _list(fields.get("validation_status"))),  # how older manifests record them
            *(row for delta in ours for row in _rows(delta, "failure")),
        ]
        manifest = self.manifest(label, above) if label else None
        vouched = [row for delta in ours for row in _rows(delta, "success")] or _rows(recorded, "success")
        return Ingredient(
            title=_text(fields.get("title")),
            mime=_text(fields.get("format")),
            relationship=_text(fields.get("relationship")),
            state=self._state(failures, vouched) if label else "none",
            problems=tuple(_problems(failures))[:MOST_PROBLEMS],
            manifest=manifest,
        )

    def _state(self, failures: Sequence[Json], vouched: Sequence[Json]) -> State:
        """What its taker says of trust counts for nothing unless a list of ours knows the signer too."""
        codes = {_text(row.get("code")) for row in failures}
        if codes.difference(_UNTRUSTED):
            return "invalid"
        for row in vouched:
            named = _FOUND_IN.search(str(row.get("explanation", "")))
            if row.get("code") == "signingCredential.trusted" and named:
                return _state("Trusted", self._known.kinds.get(named[1], ""))
        return "untrusted"


def _actions(fields: Json) -> Iterator[Action]:
    for assertion in map(_mapping, _list(fields.get("assertions"))):
        if not str(assertion.get("label", "")).startswith("c2pa.actions"):
            continue
        for row in map(_mapping, _list(_mapping(assertion.get("data")).get("actions"))):
            agent = row.get("softwareAgent")
            yield Action(
                name=_text(row.get("action")),
                source_type=_text(row.get("digitalSourceType")),
                agent=_text(agent.get("name") if isinstance(agent, dict) else agent),
                when=_text(row.get("when")),
                description=_text(
                    row.get("description") or _mapping(row.get("parameters")).get("description")
                ),
            )


def _generator(fields: Json) -> str:
    """Who made the claim: "name version", of the new form or the old."""
    rows = _list(fields.get("claim_generator_info"))
    first = _mapping(rows[0]) if rows else {}
    named = " ".join(filter(None, (_text(first.get("name")), _text(first.get("version")))))
    return named or _text(fields.get("claim_generator"))


def _signer(info: Json) -> Signer | None:
    if not info:
        return None
    keys = ("common_name", "issuer", "alg", "cert_serial_number")
    return Signer(*(_text(info.get(key)) for key in keys))


def _failures(results: Json) -> Iterator[Json]:
    """Every failure, of the active manifest first, then of its ingredients."""
    yield from _rows(_mapping(results.get("activeManifest")), "failure")
    for delta in map(_mapping, _list(results.get("ingredientDeltas"))):
        yield from _rows(_mapping(delta.get("validationDeltas")), "failure")


def _problems(rows: Sequence[Json] | Iterator[Json]) -> Iterator[Problem]:
    seen = set()
    for row in rows:
        where = _PART.search(str(row.get("url") or ""))
        problem = Problem(
            _text(row.get("code")), _text(row.get("explanation")), _text(where[1]) if where else ""
        )
        if (problem.code, problem.where) not in seen:
            seen.add((problem.code, problem.where))
            yield problem


def _codes(results: Json, group: str) -> Iterator[str]:
    return (_text(row.get("code")) for row in _rows(results, group))


def _rows(results: Json, group: str) -> list[Json]:
    return [_mapping(row) for row in _list(results.get(group))]


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    """Any value as one printable line, cut to `MOST_CHARACTERS`."""
    if value is None:
        return ""
    text = "".join(letter if letter.isprintable() else " " for letter in str(value)[: MOST_CHARACTERS + 1])
    text = text.strip()
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
