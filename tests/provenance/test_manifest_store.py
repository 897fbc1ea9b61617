"""Manifests that loop, lie, or are without end are shown as far as is reasonable, and no further."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provenance.credentials import Credentials, Manifest
from provenance.manifest_store import (
    DEEPEST,
    MOST_ACTIONS,
    MOST_CHARACTERS,
    MOST_INGREDIENTS,
    MOST_MANIFESTS,
    MOST_REPORTED,
    Known,
    credentials_of,
)

KNOWN = Known({"list": "official"})


def _store(manifests: dict[str, Any], active: str = "a", **more: Any) -> Credentials:
    document = {
        "active_manifest": active,
        "manifests": manifests,
        "validation_state": "Trusted",
        "validation_results": {"activeManifest": {}, "trustListUri": "list"},
        **more,
    }
    return credentials_of(json.dumps(document), place="embedded", known=KNOWN)


def _made_of(*labels: str) -> dict[str, Any]:
    return {"ingredients": [{"relationship": "parentOf", "active_manifest": label} for label in labels]}


def _depth(manifest: Manifest | None) -> int:
    return 0 if manifest is None else 1 + max((_depth(i.manifest) for i in manifest.ingredients), default=0)


def test_a_manifest_that_is_its_own_ancestor_is_shown_once() -> None:
    found = _store({"a": _made_of("b"), "b": _made_of("a", "b")})

    assert found.state == "trusted"
    assert _depth(found.manifest) == 2
    assert found.manifest is not None
    assert [part.manifest for part in found.manifest.ingredients[0].manifest.ingredients] == [None, None]  # type: ignore[union-attr]


def test_a_chain_and_a_bush_of_ingredients_end() -> None:
    long = {str(number): _made_of(str(number + 1)) for number in range(1000)}
    # Each of two manifests is made of both below: the tree doubles at each step.
    bush = {f"{n}{s}": _made_of(f"{n + 1}x", f"{n + 1}y") for n in range(40) for s in "xy"}

    assert _depth(_store(long, "0").manifest) == DEEPEST
    text = json.dumps(_store(bush, "0x").to_dict())
    assert text.count('"label"') <= MOST_MANIFESTS


def test_a_wide_manifest_is_cut_and_says_by_how_much() -> None:
    actions = [{"action": "c2pa.edited"} for _ in range(MOST_ACTIONS + 7)]
    wide = {
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
        "ingredients": [{"title": str(number)} for number in range(MOST_INGREDIENTS + 5)],
        "title": "t" * 10_000 + "\u202e",
    }

    found = _store({"a": wide}).manifest

    assert found is not None
    assert (len(found.actions), len(found.ingredients), found.left_out) == (
        MOST_ACTIONS,
        MOST_INGREDIENTS,
        12,
    )
    assert len(found.title) == MOST_CHARACTERS


def test_what_is_too_long_to_be_shown_keeps_its_own_words() -> None:
    wide = {"assertions": [{"label": "c2pa.actions", "data": {"actions": [{"action": "a" * 400}] * 90}}]}
    many = {
        str(number): {**wide, **_made_of(*(str(number * 10 + n) for n in range(1, 10)))}
        for number in range(200)
    }

    found = _store(many, "1")

    assert found.state == "trusted"
    assert len(json.dumps(found.to_dict())) < MOST_REPORTED
    assert found.manifest is not None
    assert found.manifest.label == "1"
    assert found.manifest.left_out > 0


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"a": None},
        {"a": {"assertions": 5, "ingredients": {"x": 1}, "signature_info": [], "title": ["x"]}},
        {"a": {"ingredients": [None, 7, {"active_manifest": ["a"], "validation_results": "yes"}]}},
        {"a": {"claim_generator_info": "me", "assertions": [{"label": 3, "data": {"actions": "none"}}]}},
    ],
)
def test_json_of_any_shape_is_taken(strange: dict[str, Any]) -> None:
    assert _store(strange).state == "trusted"


@pytest.mark.parametrize(
    ("said", "list_name", "state"),
    [
        ("Trusted", "list", "trusted"),
        ("Trusted", "", "untrusted"),
        ("Trusted", "unheard of", "untrusted"),
        ("Valid", "list", "untrusted"),
        ("Invalid", "list", "invalid"),
        ("WellFormed", "list", "invalid"),
        ("", "", "invalid"),
    ],
)
def test_trust_needs_a_list_of_ours(said: str, list_name: str, state: str) -> None:
    results = {"activeManifest": {}, "trustListUri": list_name}

    assert _store({}, validation_state=said, validation_results=results).state == state


def test_what_the_taker_of_an_ingredient_says_of_its_trust_counts_for_nothing() -> None:
    vouched = {"success": [{"code": "signingCredential.trusted", "explanation": "found in [theirs]"}]}
    row = {
        "active_manifest": "b",
        "label": "c2pa.ingredient.v3",
        "validation_results": {"activeManifest": vouched},
    }

    found = _store({"a": {"ingredients": [row]}, "b": {}}).manifest

    assert found is not None
    assert found.ingredients[0].state == "untrusted"


def test_a_stapled_revocation_and_a_time_stamp_are_told() -> None:
    active = {
        "success": [{"code": "timeStamp.validated"}, {"code": "timeStamp.trusted"}],
        "failure": [{"code": "signingCredential.ocsp.revoked", "explanation": "key lost"}],
    }

    found = _store({}, validation_state="Invalid", validation_results={"activeManifest": active})

    assert (found.state, found.revoked, found.time_stamp) == ("invalid", True, "trusted")
    assert not found.stands
