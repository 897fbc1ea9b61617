"""What a person asks of a generator, on the command line or over the API, held against what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from evidence.errors import UsageError
from evidence.medium import Pixels
from exports import conditions
from exports.editing import Box
from exports.registry import ModelEntry
from exports.slots import Feeds, Slot

SIDES = ("left", "right", "top", "bottom")

Film = Literal["interpolation", "expression", "rotation"]
# How a wish is called where it was said: "--class" on the command line, "classes" over the API.
Spoken = Callable[[str], str]


@dataclass(frozen=True)
class Asked:
    """What is asked for, by its names over the API; None, () and False where nothing was said.

    `input` and `mask` are what the caller calls these pictures.
    """

    count: int | None = None
    seed: int | None = None
    truncation: float | None = None
    classes: tuple[str, ...] = ()
    caption: tuple[str, ...] = ()
    input: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    box: str | None = None
    side: tuple[str, ...] = ()
    extend: int | None = None
    units: str | None = None
    expression: tuple[str, ...] = ()
    yaw: float | None = None
    grid: bool = False
    film: Film | None = None
    gif: bool = False


@dataclass(frozen=True)
class Condition:
    """One condition: as the manifest says it, and as the graph takes it."""

    words: Mapping[str, Any]
    feeds: Feeds


def takes(entry: ModelEntry, slots: Mapping[str, Slot]) -> list[str]:
    """What can be asked of a system, by the names in `Asked`."""
    roles = {slot.role for slot in slots.values()}
    laws = {slot.law for slot in slots.values() if slot.role == "latent"}
    fixed = any(slot.role == "image" and not slot.free for slot in slots.values())
    faces = fixed and entry.task in ("animation", "rotation")
    taken = {
        "input": "image" in roles,
        "count": "image" not in roles,
        "seed": "latent" in roles,
        "truncation": "truncation" in roles or "normal" in laws,
        "classes": "label" in roles,
        "caption": "tokens" in roles,
        "mask": "mask" in roles and entry.task != "outpainting",
        "box": faces or ("mask" in roles and entry.task != "outpainting"),
        "side": entry.task == "outpainting",
        "extend": entry.task == "outpainting",
        "units": "units" in roles,
        "expression": "units" in roles,
        "yaw": "yaw" in roles,
        "grid": True,
        "film": bool(films(slots)),
        "gif": bool(films(slots)),
    }
    return [name for name, is_taken in taken.items() if is_taken]


def films(slots: Mapping[str, Slot]) -> list[Film]:
    """The films that a system makes."""
    roles = {slot.role for slot in slots.values()}
    made: dict[Film, bool] = {"expression": "units" in roles, "rotation": "yaw" in roles}
    made["interpolation"] = "latent" in roles and "image" not in roles
    return [film for film, is_made in made.items() if is_made]


def refuse_foreign(entry: ModelEntry, slots: Mapping[str, Slot], asked: Asked, spoken: Spoken = str) -> None:
    """Raise UsageError for a wish the system does not take, and for one that it cannot do without."""
    taken = takes(entry, slots)
    listed = ", ".join(spoken(name) for name in taken)
    for item in fields(asked):
        # By identity: 0 equals False, and an angle of 0 was asked for.
        value = getattr(asked, item.name)
        if not (value is None or value is False or value == ()) and item.name not in taken:
            raise UsageError(f"{entry.label} takes no {spoken(item.name)}.", f"It takes {listed}.")
    roles = {slot.role for slot in slots.values()}
    swept = asked.film in ("expression", "rotation")
    for said, needed, options in (
        (asked.input, "image" in roles, ("input",)),
        (asked.caption, "tokens" in roles, ("caption",)),
        (asked.mask or asked.box, "mask" in roles and entry.task != "outpainting", ("mask", "box")),
        (asked.side, entry.task == "outpainting", ("side",)),
        (
            asked.units or asked.expression,
            "units" in roles and asked.film != "rotation",
            ("units", "expression"),
        ),
        (asked.yaw is not None or swept, "yaw" in roles, ("yaw",)),
    ):
        if needed and not said:
            words = " or ".join(spoken(option) for option in options)
            raise UsageError(f"{entry.label} needs {words}.", f"It takes {listed}.")
    for side in asked.side:
        if side not in SIDES:
            raise UsageError(f"There is no side {side!r}.", f"The sides are {', '.join(SIDES)}.")
    kinds = films(slots)
    if asked.film is not None and asked.film not in kinds:
        raise UsageError(
            f"{entry.label} makes no film of {asked.film}.", f"It makes one of {' or '.join(kinds)}."
        )
    if asked.gif and asked.film is None:
        raise UsageError(f"{spoken('gif')} is about a film.", f"Ask for one with {spoken('film')}.")


def conditions_of(slots: Mapping[str, Slot], asked: Asked) -> list[Condition]:
    """Every condition that was asked for, in the order of its words; one without feeds when none was."""
    found: list[Condition] = []
    for slot in slots.values():
        if slot.role == "label":
            words = slot.names if "all" in asked.classes else asked.classes
            indices = [(word, conditions.class_index(slot, word)) for word in words]
            found += [Condition({"class": slot.names[int(at)]}, {slot.name: at}) for _, at in indices]
        elif slot.role == "tokens":
            found += [
                Condition({"caption": text}, {slot.name: conditions.caption_tokens(slot, text)})
                for text in asked.caption
            ]
        elif slot.role == "units":
            if asked.units is not None:
                found.append(
                    Condition({"units": asked.units}, {slot.name: conditions.action_units(slot, asked.units)})
                )
            found += [
                Condition({"expression": name}, {slot.name: conditions.expression(slot, name)})
                for name in asked.expression
            ]
        elif slot.role == "yaw" and asked.yaw is not None:
            found.append(Condition({"yaw": asked.yaw}, {slot.name: conditions.angle(slot, asked.yaw)}))
    return found or [Condition({}, {})]


def box_of(said: str, pixels: Pixels) -> Box:
    """`X,Y,W,H` inside the picture; raises UsageError."""
    height, width = pixels.shape[:2]
    try:
        x, y, wide, tall = (int(part) for part in said.split(","))
    except ValueError:
        raise UsageError(f"The box {said} is not of the form X,Y,W,H.", "Write 40,60,96,64.") from None
    if min(x, y) < 0 or min(wide, tall) < 1 or x + wide > width or y + tall > height:
        raise UsageError(
            f"The box {said} is not inside a picture of {width} x {height} pixels.",
            "Left and top count from 0; width and height are at least 1.",
        )
    return x, y, wide, tall
