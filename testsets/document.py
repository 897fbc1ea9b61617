"""A TOML file whose every complaint names the file, the line, what was found and what is allowed.

`tomllib` forgets where things stood, so lines are found again in the text, by the headers of its tables and
the names of its keys.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.errors import UsageError

Place = tuple[str | int, ...]  # the keys that lead to a value, with the number of a table in its list

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.-]+)\s*\]\]?")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")


class RecipeError(UsageError):
    """Raised when a recipe asks for what there is not, or contradicts itself."""

    code = "recipe"


@dataclass(frozen=True)
class Document:
    """The text of a TOML file and what it is called."""

    name: str
    text: str

    @classmethod
    def read(cls, path: Path) -> Document:
        """The file at `path`; raises RecipeError."""
        try:
            return cls(path.name, path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
            raise RecipeError(f"{path} cannot be read: {said}.", "Check its name.") from None

    def top(self) -> Table:
        """Its outermost table; raises RecipeError where it is no TOML."""
        try:
            return Table(self, (), tomllib.loads(self.text))
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{self.name} is no TOML: {error}.", "Mend that line.") from None

    def wrong(self, place: Place, found: str, advice: str) -> RecipeError:
        """What is wrong at a place."""
        return RecipeError(f"{self.name}, line {self.line_of(place)}: {found}", advice)

    def line_of(self, place: Place) -> int:
        """The line on which a value stands, or that of the table around it."""
        lines = self._lines()
        while place and place not in lines:
            place = place[:-1]
        return lines.get(place, 1)

    def _lines(self) -> dict[Place, int]:
        found: dict[Place, int] = {}
        counts: dict[str, int] = {}
        here: Place = ()
        for number, line in enumerate(self.text.splitlines(), start=1):
            if header := _HEADER.match(line):
                name = header[2]
                here = tuple(name.split("."))
                if header[1] == "[[":
                    counts[name] = counts.get(name, -1) + 1
                    here = (*here, counts[name])
                found.setdefault(here, number)
            elif key := _KEY.match(line):
                found.setdefault((*here, key[1]), number)
        return found


class Table:
    """One table of a document: each value is asked for once, by its kind; `close` refuses what is left."""

    def __init__(self, document: Document, place: Place, values: dict[str, Any]) -> None:
        self.document, self.place, self._values = document, place, values
        self._asked: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def wrong(self, name: str, found: str, advice: str) -> RecipeError:
        """What is wrong with a value."""
        return self.document.wrong((*self.place, name), found, advice)

    def text(self, name: str, default: str = "", *, among: Sequence[str] = ()) -> str:
        """A text, one of `among` if those are given."""
        value = self._of(name, str, default, "a text")
        if among and value not in among:
            known = nearest(value, [one for one in among if one])
            raise self.wrong(name, f"{name} is {value!r}.", f"It is one of {known}.")
        return str(value)

    def whole(self, name: str, default: int | None, *, least: int = 1) -> int | None:
        """A whole number."""
        value = self._of(name, int, default, "a whole number")
        if value is not None and (isinstance(value, bool) or value < least):
            raise self.wrong(name, f"{name} is {value}.", f"It is a whole number from {least} on.")
        return None if value is None else int(value)

    def number(self, name: str, default: float, *, low: float = 0.0, high: float = 1.0) -> float:
        """A number between two others."""
        value = self._of(name, (int, float), default, "a number")
        if isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(name, f"{name} is {value}.", f"It is a number from {low:g} to {high:g}.")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        return bool(self._of(name, bool, False, "true or false"))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; one text is a list of one."""
        value = self._of(name, (str, list), [], "a list of texts")
        value = [value] if isinstance(value, str) else value
        if not all(isinstance(one, str) for one in value):
            raise self.wrong(name, f"{name} is {value}.", 'It is a list of texts, such as ["a", "b"].')
        return tuple(value)

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        """A list of `count` numbers, or None where nothing is said."""
        value = self._of(name, list, None, f"a list of {count} numbers")
        if value is None:
            return None
        if len(value) != count or not all(_is_number(one) for one in value):
            raise self.wrong(name, f"{name} is {value}.", f"It is a list of {count} numbers.")
        return tuple(float(one) for one in value)

    def value(self, name: str) -> Any:
        """Whatever is said."""
        self._asked.append(name)
        return self._values.get(name)

    def table(self, name: str) -> Table:
        """A table within this one, empty where there is none."""
        return Table(self.document, (*self.place, name), self._of(name, dict, {}, f"a table [{name}]"))

    def tables(self, name: str) -> list[Table]:
        """Each table of a list."""
        value = self._of(name, list, [], f"a list of tables, each begun by [[{name}]]")
        if not all(isinstance(one, dict) for one in value):
            raise self.wrong(name, f"{name} holds {value}.", f"Begin each with [[{name}]].")
        return [Table(self.document, (*self.place, name, at), one) for at, one in enumerate(value)]

    def rest(self) -> dict[str, Any]:
        """Every value that nobody asked for."""
        left = {name: value for name, value in self._values.items() if name not in self._asked}
        self._asked += left
        return left

    def close(self) -> None:
        """Raise RecipeError for a key that nobody asked for."""
        for name in self._values:
            if name not in self._asked:
                raise self.wrong(
                    name, f"{name!r} means nothing here.", f"There are {nearest(name, self._asked)}."
                )

    def _of(self, name: str, kind: Any, default: Any, said: str) -> Any:
        self._asked.append(name)
        value = self._values.get(name, default)
        if value is not None and not isinstance(value, kind):
            raise self.wrong(name, f"{name} is {value!r}.", f"It is {said}.")
        return value


def nearest(word: str, names: Iterable[str]) -> str:
    """The names there are, those like `word` first."""
    there = list(dict.fromkeys(names))
    near = difflib.get_close_matches(word, there, n=3, cutoff=0.5)
    return ", ".join([*near, *(name for name in there if name not in near)])


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
