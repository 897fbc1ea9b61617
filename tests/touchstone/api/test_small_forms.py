"""Whole forms taken apart by their edges: what comes out is what the parser that goes byte by byte gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser, parse_options_header

from touchstone.api.small_forms import boundary_of, disposition_of, plain_parts

B = b"--b"
FILE = (
    b'\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
)


def parsed(form: bytes) -> list[tuple[bytes, bytes]]:
    """The same by python-multipart."""
    found: list[tuple[bytes, bytes]] = []
    name, value, disposition, content = bytearray(), bytearray(), bytearray(), bytearray()

    def header() -> None:
        if bytes(name).lower() == b"content-disposition":
            disposition[:] = value
        name.clear()
        value.clear()

    def begin() -> None:
        content.clear()
        disposition.clear()

    parser = MultipartParser(
        B,
        {
            "on_part_begin": begin,
            "on_header_field": lambda data, a, b: name.extend(data[a:b]),
            "on_header_value": lambda data, a, b: value.extend(data[a:b]),
            "on_header_end": header,
            "on_part_data": lambda data, a, b: content.extend(data[a:b]),
            "on_part_end": lambda: found.append((bytes(disposition), bytes(content))),
        },
    )
    parser.write(form)
    return found


PIECES = [b"--" + B, b"\r\n--" + B, b"\r\n", b"--", b"--\r\n", FILE, b"bytes", b"\r", b"\n", b"a: b",
          b"\0\xff", b"\r\n\r\n", b'Content-Disposition: form-data; name="x"', b""]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.booleans())
def test_what_is_plain_comes_out_as_the_parser_gives_it(pieces: list[bytes], framed: bool) -> None:
    form = b"".join(pieces)
    if framed:
        form = b"--" + B + FILE + form + b"\r\n--" + B + b"--\r\n"
    if (found := plain_parts(form, B)) is not None:
        assert found == parsed(form)


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_a_browsers_form_is_plain_whatever_its_file_holds(first: bytes, second: bytes) -> None:
    form = (
        b"".join(b"--" + B + FILE + content + b"\r\n" for content in (first, second)) + b"--" + B + b"--\r\n"
    )
    if b"\r\n--" + B not in first + b"|" + second:
        assert [content for _, content in plain_parts(form, B) or []] == [first, second]


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"--" + B + b"--\r\n",
        b"preamble\r\n--" + B + FILE + b"x\r\n--" + B + b"--\r\n",
        b"--" + B + FILE + b"x",  # cut off
        b"--" + B + FILE + b"x\r\n--" + B + b"x\r\n--" + B + b"--\r\n",  # an edge that goes on
        b"--"
        + B
        + b"\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\nx\r\n--"
        + B
        + b"--\r\n",  # folded
        b"--" + B + b"\r\nContent-Type: a/b\r\n\r\nx\r\n--" + B + b"--\r\n",
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(form: bytes) -> None:
    assert plain_parts(form, B) is None


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20))
def test_names_are_read_as_the_parser_reads_them(name: str) -> None:
    header = b'form-data; name="file"; filename="' + name.encode() + b'"'
    _, options = parse_options_header(header)
    assert disposition_of(header) == (options.get(b"name", b""), options.get(b"filename", b""))


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
        ("multipart/form-data", b""),
        ("application/json", None),
    ],
)
def test_the_boundary_stands_in_the_type(kind: str, boundary: bytes | None) -> None:
    assert boundary_of(kind) == boundary
