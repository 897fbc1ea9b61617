"""What a new OpenAPI document takes away from an old one: that is what breaks clients. Additions are free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]

_KEPT = ("type", "const", "format", "pattern")
# A client that sends what was allowed must still be understood; one that reads must still find it.
_TIGHTER = {"maxLength": -1, "maximum": -1, "maxItems": -1, "minLength": 1, "minimum": 1, "minItems": 1}


def breaks(old: Document, new: Document) -> list[str]:
    """A line for each path, operation, parameter, field, value or answer that is gone or asks for more."""
    return list(dict.fromkeys(_Comparison(old, new).found()))


class _Comparison:
    """Two documents, and the pairs of schemas that were compared already."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = old, new
        self._seen: set[tuple[str, str, bool]] = set()

    def found(self) -> Iterator[str]:
        for path, operations in self.old["paths"].items():
            for method, before in operations.items():
                place = f"{method.upper()} {path}"
                after = self.new["paths"].get(path, {}).get(method)
                if after is None:
                    yield f"{place} is gone"
                else:
                    yield from self._parameters(place, before, after)
                    yield from self._body(place, before.get("requestBody", {}), after.get("requestBody", {}))
                    yield from self._answers(place, before["responses"], after["responses"])

    def _parameters(self, place: str, before: Document, after: Document) -> Iterator[str]:
        old, new = ({(p["in"], p["name"]): p for p in one.get("parameters", ())} for one in (before, after))
        for key, parameter in old.items():
            name = f"{place}: parameter {key[1]}"
            if key not in new:
                yield f"{name} is gone"
            else:
                yield from self._schema(name, parameter["schema"], new[key]["schema"], sent=True)
        for key, parameter in new.items():
            if parameter.get("required") and not old.get(key, {}).get("required"):
                yield f"{place}: parameter {key[1]} is needed now"

    def _body(self, place: str, before: Document, after: Document) -> Iterator[str]:
        if after.get("required") and not before.get("required"):
            yield f"{place}: a body is needed now"
        yield from self._content(f"{place}: body", before, after, sent=True)

    def _answers(self, place: str, before: Document, after: Document) -> Iterator[str]:
        for status, answer in before.items():
            if status not in after:
                yield f"{place}: answer {status} is gone"
            else:
                yield from self._content(f"{place}: answer {status}", answer, after[status], sent=False)

    def _content(self, place: str, before: Document, after: Document, *, sent: bool) -> Iterator[str]:
        for kind, content in before.get("content", {}).items():
            if kind not in after.get("content", {}):
                yield f"{place}: {kind} is gone"
            else:
                other = after["content"][kind]
                yield from self._schema(place, content.get("schema", {}), other.get("schema", {}), sent=sent)

    def _schema(self, place: str, before: Document, after: Document, *, sent: bool) -> Iterator[str]:
        pair = (str(before.get("$ref", place)), str(after.get("$ref", place)), sent)
        if "$ref" in before and pair in self._seen:
            return
        self._seen.add(pair)
        old, new = _resolved(self.old, before), _resolved(self.new, after)
        for word in _KEPT:
            if word in new and old.get(word) != new[word] and not (word == "format" and word not in old):
                yield f"{place}: {word} was {old.get(word)!r}, is {new[word]!r}"
        for value in old.get("enum", ()):
            if sent and "enum" in new and value not in new["enum"]:
                yield f"{place}: {value!r} is not taken any more"
        for value in new.get("enum", ()) if not sent and "enum" in old else ():
            if value not in old["enum"]:
                yield f"{place}: {value!r} is said now, which no client knows"
        for word, sign in _TIGHTER.items() if sent else ():
            if word in new and (word not in old or (new[word] - old[word]) * sign > 0):
                yield f"{place}: {word} was {old.get(word)}, is {new[word]}"
        yield from self._fields(place, old, new, sent=sent)
        if "items" in old:
            yield from self._schema(f"{place}[]", old["items"], new.get("items", {}), sent=sent)
        yield from self._choices(place, old, new, sent=sent)

    def _fields(self, place: str, old: Document, new: Document, *, sent: bool) -> Iterator[str]:
        for name, field in old.get("properties", {}).items():
            if name not in new.get("properties", {}):
                yield f"{place}: field {name} is gone"
            else:
                yield from self._schema(f"{place}.{name}", field, new["properties"][name], sent=sent)
        needed = set(new.get("required", ())) - set(old.get("required", ()))
        given = set(old.get("required", ())) - set(new.get("required", ()))
        for name in sorted(needed if sent else given):
            yield f"{place}: field {name} is {'needed now' if sent else 'not always there any more'}"

    def _choices(self, place: str, old: Document, new: Document, *, sent: bool) -> Iterator[str]:
        """Of `anyOf`: what may be sent must stay, and what is answered must have been known."""
        before, after = (
            {str(one.get("type") or one.get("$ref")): one for one in side.get("anyOf", ())}
            for side in (old, new)
        )
        more, fewer = (before, after) if sent else (after, before)
        for kind in more if before and after else ():
            if kind not in fewer:
                word = "not taken any more" if sent else "answered now, which no client knows"
                yield f"{place}: {kind} is {word}"
            else:
                yield from self._schema(place, before[kind], after[kind], sent=sent)


def _resolved(document: Document, schema: Document) -> Document:
    """The schema that a reference leads to."""
    if "$ref" not in schema:
        return schema
    found: Any = document
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found if isinstance(found, Mapping) else {}
