"""The API's description: committed, current, and a promise that a change cannot break unnoticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from touchstone.api.app import bare_app
from touchstone.api.promises import breaks

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"


@pytest.fixture
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return loaded


def test_the_committed_document_is_the_one_the_routes_give(document: dict[str, Any]) -> None:
    assert document == bare_app().openapi(), "run python docs/generate.py"


def test_a_document_keeps_its_own_promises(document: dict[str, Any]) -> None:
    assert breaks(document, copy.deepcopy(document)) == []


def _scan(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"]["Scan"]
    return found


def _form(document: dict[str, Any]) -> dict[str, Any]:
    body = document["paths"]["/v1/scans"]["post"]["requestBody"]
    found: dict[str, Any] = body["content"]["multipart/form-data"]["schema"]
    return found


BREAKING: dict[str, Callable[[dict[str, Any]], object]] = {
    "DELETE /v1/scans/{scan} is gone": lambda d: d["paths"]["/v1/scans/{scan}"].pop("delete"),
    "GET /v1/limits is gone": lambda d: d["paths"].pop("/v1/limits"),
    "field verdict is gone": lambda d: _scan(d)["properties"].pop("verdict"),
    "field id is not always there": lambda d: _scan(d)["required"].remove("id"),
    "'lost' is said now": lambda d: _scan(d)["properties"]["state"]["enum"].append("lost"),
    "name: type was 'string', is 'integer'": lambda d: _scan(d)["properties"]["name"].update(type="integer"),
    "field client_ref is gone": lambda d: _form(d)["properties"].pop("client_ref"),
    "field name is needed now": lambda d: _form(d)["required"].append("name"),
    "maxLength was 1024, is 9": lambda d: _form(d)["properties"]["name"].update(maxLength=9),
    "'low' is not taken any more": lambda d: _form(d)["properties"]["priority"]["anyOf"][0]["enum"].remove(
        "low"
    ),
    "parameter cursor is gone": lambda d: d["paths"]["/v1/scans"]["get"]["parameters"].pop(
        next(i for i, p in enumerate(d["paths"]["/v1/scans"]["get"]["parameters"]) if p["name"] == "cursor")
    ),
    "parameter limit is needed now": lambda d: d["paths"]["/v1/scans"]["get"]["parameters"][0].update(
        required=True
    ),
    "answer 200 is gone": lambda d: d["paths"]["/v1/usage"]["get"]["responses"].pop("200"),
    "application/json is gone": lambda d: d["paths"]["/v1/scans"]["post"]["requestBody"]["content"].pop(
        "application/json"
    ),
}


@pytest.mark.parametrize("said", BREAKING)
def test_what_would_break_a_client_is_named(document: dict[str, Any], said: str) -> None:
    changed = copy.deepcopy(document)
    BREAKING[said](changed)
    assert any(said in line for line in breaks(document, changed)), breaks(document, changed)


def test_what_is_added_breaks_nobody(document: dict[str, Any]) -> None:
    changed = copy.deepcopy(document)
    changed["paths"]["/v1/more"] = {"get": {"responses": {"200": {}}}}
    _scan(changed)["properties"]["more"] = {"type": "string"}
    _scan(changed)["required"].append("more")
    _form(changed)["properties"]["more"] = {"type": "string"}
    _form(changed)["properties"]["priority"]["anyOf"][0]["enum"].append("urgent")
    changed["paths"]["/v1/scans"]["get"]["parameters"].append(
        {"in": "query", "name": "more", "schema": {"type": "string"}}
    )
    assert breaks(document, changed) == []
