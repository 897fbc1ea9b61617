"""Perturbations as a recipe writes them: text, tables or names, read into chains of steps.

    jpeg:quality=75,sampling=4:2:0 | resize:factor=0.5,kernel=area
    messenger | noise:sigma=1..4
    [{name = "jpeg", quality = [60, 95]}, {name = "caption"}]

A span (`1..4` or a list of two numbers) and several words (`area/bicubic`) are drawn for each item, and so is
a seed that is not given: `drawn` settles them, and `record` writes down what was settled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from detector.corrupt import Step
from detector.presets import PRESETS
from detector.vocabulary import checked, drawn
from evidence.errors import UsageError

__all__ = ["drawn", "parse", "record", "written"]

Chain = tuple[Step, ...]


def parse(given: str | Mapping[str, Any] | Sequence[Any]) -> Chain:
    """The chain that a text, a table or a list of either says; names of presets stand for their steps.

    Raises UsageError that names what is unknown or out of its limits, and what is allowed.
    """
    if isinstance(given, str):
        parts = [part.strip() for part in given.split("|")] if given.strip() else []
        return tuple(step for part in parts for step in _spoken(part))
    if isinstance(given, Mapping):
        return _table(given)
    if isinstance(given, Sequence):
        return tuple(step for part in given for step in parse(part))
    raise UsageError(f"A perturbation is {given!r}.", "Give a text, a table, or a list of them.")


def record(chain: Sequence[Step]) -> list[dict[str, Any]]:
    """The chain as a manifest keeps it; `parse` reads it back."""
    return [step.to_dict() for step in chain]


def written(chain: Sequence[Step]) -> str:
    """The chain as text that `parse` reads."""
    return " | ".join(
        ":".join(
            filter(
                None, (step.name, ",".join(f"{key}={_word(value)}" for key, value in step.settings.items()))
            )
        )
        for step in chain
    )


def _spoken(part: str) -> Chain:
    """One part between bars: the name of a preset, or of an operation with its settings."""
    name, colon, rest = part.partition(":")
    name = name.strip()
    if name in PRESETS:
        if colon:
            raise UsageError(f"The preset {name!r} takes no settings.", f"Write {name!r} alone.")
        return PRESETS[name]
    settings: dict[str, Any] = {}
    for pair in filter(None, (word.strip() for word in rest.split(","))):
        key, equals, value = (word.strip() for word in pair.partition("="))
        if not equals or not value:
            raise UsageError(
                f"{part!r} says {pair!r}.", "Settings are written name=value, with commas between."
            )
        if key in settings:
            raise UsageError(f"{part!r} says {key} twice.", "Say it once.")
        settings[key] = _value(value)
    return (checked(Step(name, settings)),)


def _table(table: Mapping[str, Any]) -> Chain:
    """A TOML table with the settings beside the name, or a manifest's with `settings`."""
    given = dict(table)
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise UsageError(f"The table {json.dumps(given, default=str)} has no name.", 'Say name = "jpeg".')
    settings = given.pop("settings", {})
    if not isinstance(settings, Mapping):
        raise UsageError(f"The settings of {name} are {settings!r}.", "Give a table of them.")
    settings = {**settings, **given}
    if name in PRESETS:
        if settings:
            raise UsageError(f"The preset {name!r} takes no settings.", "Name it alone.")
        return PRESETS[name]
    return (checked(Step(name, dict(settings))),)


def _word(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ("/" if isinstance(value[0], (str, bool)) else "..").join(_word(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(text: str) -> Any:
    """A number, yes or no, a word; `a..b` is a span and `a/b` a choice."""
    if match := re.fullmatch(r"(.+?)\.\.(.+)", text):
        return [_value(part.strip()) for part in match.groups()]
    if "/" in text:
        return [_value(part.strip()) for part in text.split("/")]
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
