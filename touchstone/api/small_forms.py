"""Multipart forms that are here whole, written as browsers and curl write them, taken apart by their edges.

A few splits do what a parser that takes a form byte by byte does, in a tenth of the time. Whatever is not
plain is left to that parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from python_multipart.multipart import parse_options_header

_PLAIN_KIND = re.compile(r"multipart/form-data; ?boundary=([0-9A-Za-z'()+_,./:=?-]{1,200})")
_PLAIN = re.compile(rb'form-data; ?name="([^"\\%\r\n]*)"(?:; ?filename="([^"\\%\r\n]*)")?')
_HEADER = re.compile(rb"([A-Za-z-]{1,64}): ?([\x20-\x7e\x80-\xff]{0,512})")
_MOST_HEADERS = 4


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a form by the type of its request; None where that is no form."""
    if plain := _PLAIN_KIND.fullmatch(content_type):
        return plain.group(1).encode()
    kind, options = parse_options_header(content_type)
    return options.get(b"boundary", b"") if kind == b"multipart/form-data" else None


def disposition_of(header: bytes) -> tuple[bytes, bytes]:
    """The name and the file name that a part's Content-Disposition states."""
    if plain := _PLAIN.fullmatch(header):
        return plain.group(1), plain.group(2) or b""
    _, options = parse_options_header(header)
    return options.get(b"name", b""), options.get(b"filename", b"")


def plain_parts(form: bytes, boundary: bytes) -> list[tuple[bytes, bytes]] | None:
    """The Content-Disposition and the content of each part of a whole form; None where it is not plain."""
    pieces = (b"\r\n" + form).split(b"\r\n--" + boundary)
    if len(pieces) < 3 or pieces[0] or pieces[-1] not in (b"--\r\n", b"--"):
        return None
    parts = []
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        found = dict(_headers(head)) if blank and head.startswith(b"\r\n") else {}
        if head.count(b"\r\n") != len(found) or b"content-disposition" not in found:
            return None
        parts.append((found[b"content-disposition"], content))
    return parts


def _headers(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in head.split(b"\r\n", _MOST_HEADERS + 1)[1 : _MOST_HEADERS + 1]:
        if found := _HEADER.fullmatch(line):
            yield found.group(1).lower(), found.group(2)
