"""What is asked of a generator at random: a class, a caption, an expression, an angle, a hole, within a wish.

All is drawn from one generator of numbers, in the order of the graph's inputs, so that the same wish and the
same seed ask for the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evidence.errors import UsageError
from evidence.medium import Pixels
from exports.conditions import action_units, angle, any_caption, caption_tokens, class_index, expression
from exports.editing import Mask
from exports.manifest import Row
from exports.slots import Feeds, Slot, slot_of
from generators.delivery import AREA, soft_region
from generators.expressions import EXPRESSIONS

STRIP = 0.25  # the share of a picture that an outpainted twin has made anew, on one side

Rng = np.random.Generator
Share = tuple[float, float, float, float]  # left, top, width, height of a box, as shares of the picture


@dataclass(frozen=True)
class Wish:
    """What a generator may be asked for; where nothing is named, whatever it can be asked for.

    `units` are said as `AU12=0.8,AU26=0.3`, `yaw` is the lowest and the highest angle in degrees, `area` the
    least and the greatest share of the picture that a hole takes.
    """

    classes: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    yaw: tuple[float, float] | None = None
    boxes: tuple[Share, ...] = ()
    area: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """What was named, in plain JSON types."""
        return {name: value for name, value in asdict(self).items() if value}

    @property
    def conditions(self) -> list[str]:
        """The names of what a generator has to take; any forger of regions can keep to an area."""
        return [name for name in self.to_dict() if name in _ROLES]

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Wish:
        """The wish that `to_dict` wrote down, from JSON."""
        plain = {name: tuple(value) for name, value in row.items()}
        return cls(**plain | {"boxes": tuple(tuple(box) for box in row.get("boxes", ()))})

    def require(self, slots: dict[str, Slot]) -> None:
        """Raise UsageError for what a generator with these inputs cannot be asked for."""
        for slot in slots.values():
            for word in self.classes if slot.role == "label" else ():
                class_index(slot, word)
            for text in self.captions if slot.role == "tokens" else ():
                caption_tokens(slot, text)
            for name in self.expressions if slot.role == "units" else ():
                expression(slot, name)
            for said in self.units if slot.role == "units" else ():
                action_units(slot, said)
            for degrees in (self.yaw or ()) if slot.role == "yaw" else ():
                angle(slot, degrees)
        roles = {slot.role for slot in slots.values()}
        for name in self.conditions:
            if _ROLES[name] not in roles:
                raise UsageError(
                    f"It takes no {name}.", f"It takes {', '.join(sorted(roles - {'latent'})) or 'nothing'}."
                )


_ROLES = {
    "classes": "label", "captions": "tokens", "expressions": "units", "units": "units", "yaw": "yaw",
    "boxes": "mask",
}  # fmt: skip
ANYTHING = Wish()


def drawn_conditions(rng: Rng, slots: dict[str, Slot], wish: Wish = ANYTHING) -> tuple[Row, Feeds]:
    """A class, a caption, an expression, an angle: as the manifest says it, and as the graph takes it."""
    words: dict[str, Any] = {}
    feeds: Feeds = {}
    for slot in slots.values():
        if slot.role == "label":
            words["class"] = str(rng.choice(wish.classes or slot.names))
            feeds[slot.name] = class_index(slot, words["class"])
        elif slot.role == "tokens":
            words["caption"] = str(rng.choice(wish.captions)) if wish.captions else any_caption(slot, rng)
            feeds[slot.name] = caption_tokens(slot, words["caption"])
        elif slot.role == "units" and wish.units:
            words["units"] = str(rng.choice(wish.units))
            feeds[slot.name] = action_units(slot, words["units"])
        elif slot.role == "units":
            fitting = [name for name, units in EXPRESSIONS.items() if units and units.keys() <= {*slot.names}]
            words["expression"] = str(rng.choice(wish.expressions or fitting))
            feeds[slot.name] = expression(slot, words["expression"])
        elif slot.role == "yaw":
            words["yaw"] = round(float(rng.uniform(*wish.yaw or (slot.low, slot.high))), 1)
            feeds[slot.name] = angle(slot, words["yaw"])
    return words, feeds


def drawn_hole(
    rng: Rng, slots: dict[str, Slot], task: str, pixels: Pixels, wish: Wish = ANYTHING
) -> Mask | None:
    """Where a generator that fills holes is to make the picture anew; None for others."""
    if slot_of(slots, "mask") is None:
        return None
    if wish.boxes:
        return _box(wish.boxes[int(rng.integers(len(wish.boxes)))], pixels)
    if task == "outpainting":
        return _strip(rng, pixels, STRIP if wish.area is None else float(rng.uniform(*wish.area)))
    return soft_region(rng, *pixels.shape[:2], share=wish.area or AREA) >= 0.5


def _box(share: Share, pixels: Pixels) -> Mask:
    height, width = pixels.shape[:2]
    left, top, wide, tall = share
    marked = np.zeros((height, width), bool)
    rows = slice(int(top * height), max(int(top * height) + 1, round((top + tall) * height)))
    columns = slice(int(left * width), max(int(left * width) + 1, round((left + wide) * width)))
    marked[rows, columns] = True
    return marked


def _strip(rng: Rng, pixels: Pixels, share: float) -> Mask:
    """So much of the picture at one of its sides: outpainted to the size it had."""
    height, width = pixels.shape[:2]
    upright, from_end = rng.random(2) < 0.5
    length = width if upright else height
    near = np.arange(length) < max(1, round(share * length))
    line = near[::-1] if from_end else near
    return np.broadcast_to(line[None, :] if upright else line[:, None], (height, width))
