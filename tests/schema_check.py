"""The part of JSON Schema that docs/scan.schema.json uses, and not a keyword more."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_NOTES = {"$schema", "$id", "title", "description"}
_KNOWN = _NOTES | {
    "type", "const", "enum", "required", "properties", "additionalProperties", "items", "minItems",
    "maxItems", "minimum", "maximum", "pattern",
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """Where and how `value` breaks `schema`; an unknown keyword is an error of the schema itself."""
    assert set(schema) <= _KNOWN, f"{place}: the checker does not know {set(schema) - _KNOWN}"
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{place}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is none of {schema['enum']}")
    if "type" in schema and not _is(value, schema["type"]):
        return [*found, f"{place}: {value!r} is no {schema['type']}"]
    if isinstance(value, dict):
        found += _object_faults(value, schema, place)
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{place}: {len(value)} items")
        for index, item in enumerate(value):
            found += faults(item, schema.get("items", {}), f"{place}[{index}]")
    elif isinstance(value, str):
        if not re.search(schema.get("pattern", ""), value):
            found.append(f"{place}: {value!r} does not match {schema['pattern']}")
    elif isinstance(value, int | float) and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        found.append(f"{place}: {value} is out of range")
    return found


def _object_faults(value: dict[str, Any], schema: dict[str, Any], place: str) -> list[str]:
    found = [f"{place}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            found += faults(item, properties[name], f"{place}.{name}")
        elif others is False:
            found.append(f"{place}: {name} is not foreseen")
        elif isinstance(others, dict):
            found += faults(item, others, f"{place}.{name}")
    return found


def _is(value: Any, types: str | list[str]) -> bool:
    names = [types] if isinstance(types, str) else types
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, _TYPES[name]) for name in names)
