"""JSON of which there is one spelling only (RFC 8785, JCS), so that its hash can be had in any language.

Keys are sorted, nothing stands between, and numbers are written as ECMAScript writes them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from provenance.transparency.errors import LogError

# Beyond these whole numbers lose their last digits in a JSON reader that keeps numbers as doubles.
_WHOLE = 2**53
_WORDS = {None: "null", True: "true", False: "false"}


def canonical(value: Any) -> bytes:
    """The one spelling of plain JSON types. Raises LogError for what JSON cannot hold.

    Half characters, which a file name may hold and UTF-8 cannot, become U+FFFD.
    """
    return _text(value).encode()


def sha256_of(value: Any) -> str:
    """The sha256, in hex, of the one spelling of a value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _text(value: Any) -> str:
    kind = type(value)
    if kind is float:
        return _number(value)
    if kind is str:
        return _string(value)
    if value is None or kind is bool:
        return _WORDS[value]
    if kind is int:
        return int.__repr__(value) if -_WHOLE <= value <= _WHOLE else _number(_double(value))
    if isinstance(value, str | float):  # of numpy, or an enumeration
        return _text(str.__str__(value) if isinstance(value, str) else float(value))
    if isinstance(value, Mapping):
        names = sorted(value, key=None if all(map(str.isascii, value)) else _units)
        return "{" + ",".join([f"{_string(name)}:{_text(value[name])}" for name in names]) + "}"
    if isinstance(value, list | tuple):
        cells = [_number(inside) if type(inside) is float else _text(inside) for inside in value]
        return "[" + ",".join(cells) + "]"
    raise LogError(f"JSON cannot hold a {kind.__name__}.", "This is a fault of ours; please report it.")


def _string(text: str) -> str:
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return encode_basestring(text)


def _units(name: str) -> bytes:
    """What keys are sorted by: their UTF-16 units."""
    return name.encode("utf-16-be", "surrogatepass")


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


@lru_cache(4096)  # a heat map says a hundred numbers a thousand times
def _number(value: float) -> str:
    """A number as ECMAScript writes it: the shortest digits that mean it."""
    if not math.isfinite(value):
        raise LogError(f"JSON has no number {value}.", "This is a fault of ours; please report it.")
    if value == 0:
        return "0"
    said = float.__repr__(value)
    if "e" not in said:
        return said.removesuffix(".0")
    sign = "-" if value < 0 else ""
    mantissa, _, power = said.lstrip("-").partition("e")
    first, _, rest = mantissa.partition(".")
    digits, exponent = first + rest, int(power)
    if 0 <= exponent < 21:  # Python writes 1e+16, ECMAScript goes on to 21 digits
        return sign + digits + "0" * (exponent + 1 - len(digits))
    if -7 < exponent < 0:  # Python writes 1e-05, ECMAScript 0.00001
        return sign + "0." + "0" * (-exponent - 1) + digits
    return f"{sign}{first}{'.' + rest if rest else ''}e{exponent:+d}"
