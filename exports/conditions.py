"""From a person's words to the inputs of a graph: a class, a caption, action units, an angle.

Each function gives an array without the batch axis, or a `UsageError` that says what was found, what is
allowed and which names are near.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from evidence.errors import UsageError
from exports.slots import Array, Slot
from generators.expressions import EXPRESSIONS, REST, units_of
from generators.text.vocabulary import UNKNOWN, tokenise
from generators.text.wording import face_caption, knows_faces

MOST_LISTED = 20


def class_index(slot: Slot, word: str) -> Array:
    """The class called `word`, or of that number."""
    names = [name.casefold() for name in slot.names]
    if word.casefold() in names:
        return np.asarray(names.index(word.casefold()), slot.dtype)
    if word.isdecimal() and int(word) < len(names):
        return np.asarray(int(word), slot.dtype)
    raise UsageError(f"There is no class {word!r}.", _known(word, slot.names, f"a number below {len(names)}"))


def caption_tokens(slot: Slot, caption: str) -> Array:
    """The caption's words by their numbers, cut or filled up to what the graph takes."""
    (length,) = slot.lengths
    tokens: Array = np.asarray(tokenise(caption, slot.names, length), slot.dtype)
    if not (tokens > UNKNOWN).any():
        said = (
            f"The caption {caption!r} has no word that the model knows."
            if caption.strip()
            else ("The caption is empty.")
        )
        raise UsageError(said, f"It knows {len(slot.names) - 2} words: {_some(slot.names[2:])}.")
    return tokens


def any_caption(slot: Slot, rng: np.random.Generator) -> str:
    """A caption at random: of the wording that the model has learned, if we know it, else of its words."""
    if knows_faces(slot.names):
        return face_caption(rng)
    return " ".join(rng.choice(slot.names[2:], min(8, *slot.lengths)))


def action_units(slot: Slot, said: str) -> Array:
    """`AU12=0.8,AU26=0.3` as the intensity of every unit; those that are not said are at rest."""
    values: Array = np.asarray([REST.get(name, 0.0) for name in slot.names], slot.dtype)
    for part in said.split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        if name.upper() not in slot.names:
            raise UsageError(f"There is no action unit {name!r}.", _known(name.upper(), slot.names))
        if not number:
            raise UsageError(f"The action unit {name} has no number.", f"Write {name}=0.8, for example.")
        values[slot.names.index(name.upper())] = _within(slot, f"{name.upper()}=", number)
    return values


def expression(slot: Slot, name: str) -> Array:
    """The action units of a named expression."""
    if name.casefold() not in EXPRESSIONS:
        raise UsageError(f"There is no expression {name!r}.", _known(name, tuple(EXPRESSIONS)))
    return np.asarray(units_of(name.casefold(), slot.names), slot.dtype)


def angle(slot: Slot, degrees: float) -> Array:
    """An angle of the head within what the model was trained on."""
    return np.asarray(_within(slot, "yaw ", str(degrees), " degrees"), slot.dtype)


def truncation(slot: Slot, value: float) -> float:
    """A truncation within what the graph takes."""
    return _within(slot, "truncation ", str(value))


def _within(slot: Slot, what: str, number: str, unit: str = "") -> float:
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not slot.low <= value <= slot.high:
        raise UsageError(
            f"{what}{number} is outside {slot.low:g} to {slot.high:g}{unit}.", "Give a number between them."
        )
    return value


def _known(word: str, names: Sequence[str], also: str = "") -> str:
    """Which names there are, the nearest first, for advice."""
    near = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    listed = f"Did you mean {' or '.join(near)}?" if near else f"There are {_some(names)}."
    return f"{listed} Or {also}." if also else listed


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_LISTED
    return ", ".join(names[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
