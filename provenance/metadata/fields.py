"""From a block to its fields: a name, words, and the kind of place they stand in, which rules go by.

XMP is searched and not parsed: nobody's entities are expanded, and a broken packet gives what it has.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from provenance.metadata.exif import as_text
from provenance.metadata.place import Block

MOST_FIELDS_OF_A_BLOCK = 200


@dataclass(frozen=True)
class Field:
    """Words in a file. `place` is "tool", "credit", "description", "comment", "source_type", "aigc",
    "ai_system", "ai_prompt", or "text:KEYWORD" of a PNG text that is none of these."""

    name: str
    value: str
    place: str


def fields_of(block: Block) -> Iterator[Field]:
    """The fields of a block that could name a program."""
    if block.kind == "xmp":
        yield from _xmp(block.data)
    elif block.kind == "iptc":
        yield from _iptc(block.data)
    elif block.kind == "exif":
        if place := _EXIF_PLACES.get(block.name):
            yield Field(f"EXIF {block.name}", as_text(block.name, block.data), place)
    elif block.kind == "text":
        value = block.data.decode("utf-8", "replace").strip("\0 \r\n")
        place = _TEXT_PLACES.get(block.name.lower(), f"text:{block.name}")
        yield Field("comment" if block.name == "comment" else f"PNG {block.name}", value, place)
    else:
        value = block.data.decode("utf-8", "replace").strip("\0 \r\n")
        place = _TAG_PLACES.get(block.name.lower().rpartition(".")[2], "")
        if "aigc" in block.name.lower():
            place = "aigc"
        if place:
            yield Field(f"tag {block.name.replace(chr(0xA9), '©')}", value, place)


def _xmp(data: bytes) -> Iterator[Field]:
    text = _decoded(data)
    for found in islice(_XMP_FIELD.finditer(text), MOST_FIELDS_OF_A_BLOCK):
        name = found["attribute"] or found["element"]
        values = [found["quoted"]]
        if found["element"]:
            end = text.find(f"</{found['prefix']}:{name}", found.end(), found.end() + _LONGEST)
            # An element may hold a list of alternatives, each in tags of its own.
            values = _TAGS.split(text[found.end() : end]) if end >= 0 else []
        for value in values[:MOST_FIELDS_OF_A_BLOCK]:
            if plain := html.unescape(value).strip():
                yield Field(f"XMP {name}", plain, _XMP_PLACES[name.lower()])


def _decoded(data: bytes) -> str:
    """XMP is UTF-8, or UTF-16 where every second byte of its opening is zero."""
    if data[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return data.decode("utf-16", "replace")
    if data[1:2] == b"\0" or data[:1] == b"\0":
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace")
    return data.decode("utf-8", "replace")


def _iptc(data: bytes) -> Iterator[Field]:
    place = 0
    for _ in range(MOST_FIELDS_OF_A_BLOCK):
        if data[place : place + 1] != b"\x1c" or place + 5 > len(data):
            return
        record, number = data[place + 1], data[place + 2]
        size = int.from_bytes(data[place + 3 : place + 5], "big")
        if size & 0x8000:  # a size of more bytes: nothing that we look for is so long
            return
        if record == 2 and number in _IPTC_PLACES:
            name, kind = _IPTC_PLACES[number]
            value = data[place + 5 : place + 5 + size].decode("utf-8", "replace").strip()
            yield Field(f"IPTC {name}", value, kind)
        place += 5 + size


_EXIF_PLACES = {
    "Software": "tool",
    "Make": "tool",
    "Model": "tool",
    "ImageDescription": "description",
    "XPComment": "comment",
    "XPTitle": "description",
    "UserComment": "comment",
    "Artist": "credit",
    "Copyright": "credit",
}
_TEXT_PLACES = {
    "software": "tool",
    "creator tool": "tool",
    "generator": "tool",
    "author": "credit",
    "copyright": "credit",
    "comment": "comment",
    "usercomment": "comment",
    "description": "description",
    "title": "description",
    "aigc": "aigc",
    "digitalsourcetype": "source_type",
    "parameters": "text:parameters",
    "prompt": "text:prompt",
    "workflow": "text:workflow",
}
_TAG_PLACES = {
    **dict.fromkeys(("\xa9too", "\xa9swr", "\xa9enc", "isft", "encoder", "muxingapp", "writingapp"), "tool"),
    **dict.fromkeys(
        ("software", "encoded_by", "writing_application", "\xa9mak", "\xa9mod", "make", "model"), "tool"
    ),
    **dict.fromkeys(
        ("creator", "author", "artist", "\xa9art", "iart", "copyright", "\xa9cpy", "cprt", "icop"), "credit"
    ),
    **dict.fromkeys(("\xa9cmt", "comment", "icmt"), "comment"),
    **dict.fromkeys(
        ("\xa9des", "desc", "description", "\xa9nam", "title", "inam", "synopsis", "ldes"), "description"
    ),
    "digitalsourcetype": "source_type",
}
_XMP_PLACES = {
    "digitalsourcetype": "source_type",
    "digitalsourcefiletype": "source_type",
    "creatortool": "tool",
    "softwareagent": "tool",
    "software": "tool",
    "credit": "credit",
    "usercomment": "comment",
    "parameters": "comment",
    "description": "description",
    "aisystemused": "ai_system",
    "aipromptinformation": "ai_prompt",
    "aigc": "aigc",
}
_IPTC_PLACES = {
    65: ("OriginatingProgram", "tool"),
    80: ("Byline", "credit"),
    110: ("Credit", "credit"),
    115: ("Source", "credit"),
    120: ("Caption", "description"),
}
_NAMES = "|".join(_XMP_PLACES)
_LONGEST = 100_000
_XMP_FIELD = re.compile(
    rf"""[\w.-]{{1,40}}:(?P<attribute>{_NAMES})\s{{0,9}}=\s{{0,9}}"(?P<quoted>[^"]{{0,{_LONGEST}}})"
    |<(?!rdf:)(?P<prefix>[\w.-]{{1,40}}):(?P<element>{_NAMES})\b[^<>]{{0,2000}}(?<!/)>""",
    re.IGNORECASE | re.VERBOSE,
)
_TAGS = re.compile(r"<[^<>]{0,1000}>")
