"""What a generator asks for: each input of its graph with the role it plays, as `models.json` says it.

The roles are those of `generators.contract.Input`. A file that nobody published has no roles: then a picture
of free size is an image, and all else is a latent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.errors import ModelError
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession

Array = NDArray[Any]
Feeds = dict[str, Array]  # inputs of one picture by name, without the batch axis

_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


@dataclass(frozen=True)
class Slot:
    """One input: `shape` without the batch, `names` of classes, words or units, values `low` to `high`."""

    name: str
    role: str
    shape: tuple[int | str, ...]
    dtype: type
    law: str = "normal"
    names: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0

    @property
    def free(self) -> bool:
        """Whether height and width are free."""
        return len(self.shape) == 3 and isinstance(self.shape[1], str)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The shape of an input without free sides."""
        return tuple(int(side) for side in self.shape)

    @property
    def side(self) -> tuple[int, int]:
        """Height and width of a picture of fixed size."""
        _, height, width = self.lengths
        return height, width


def slots_of(session: GeneratorSession) -> dict[str, Slot]:
    """Every input by its name, in the graph's order; raises `ModelError` for one we cannot fill."""
    rows = {row["name"]: row for row in session.entry.inputs}
    return {name: _slot(session, name, rows.get(name, {})) for name in session.inputs}


def slots_in(entry: ModelEntry) -> dict[str, Slot]:
    """The inputs that the row of a model names, without opening its file; empty where it names none."""
    return {row["name"]: _published(row) for row in entry.inputs}


def slot_of(slots: Mapping[str, Slot], role: str) -> Slot | None:
    """The one input of this role, or None."""
    return next((slot for slot in slots.values() if slot.role == role), None)


def _slot(session: GeneratorSession, name: str, row: Mapping[str, Any]) -> Slot:
    item = session.inputs[name]
    shape = tuple(item.shape[1:])
    picture = len(shape) == 3 and all(isinstance(side, str) for side in shape[1:])
    if item.type not in _TYPES or not (picture or all(isinstance(side, int) for side in shape)):
        raise ModelError(
            f"Model {session.entry.label} takes `{name}`, {item.type} {item.shape}: we cannot fill that.",
            "Export it with `touchstone export`.",
        )
    return _filled(name, shape, _TYPES[item.type], row)


def _published(row: Mapping[str, Any]) -> Slot:
    dtype = np.int64 if row["dtype"] == "int64" else np.float32
    return _filled(row["name"], tuple(row["shape"][1:]), dtype, row)


def _filled(name: str, shape: tuple[int | str, ...], dtype: type, row: Mapping[str, Any]) -> Slot:
    picture = len(shape) == 3 and all(isinstance(side, str) for side in shape[1:])
    return Slot(
        name=name,
        role=row.get("role", "image" if picture else "latent"),
        shape=shape,
        dtype=dtype,
        law=row.get("law", "normal"),
        names=tuple(row.get("names", ())),
        low=row.get("low", 0.0),
        high=row.get("high", 1.0),
    )
