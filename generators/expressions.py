"""Expressions by name as action units, on the 0 to 1 scale that GANimation's faces were measured on.

Which units make an expression follows EMFACS (Ekman and Friesen 1983) as far as the 17 units have them: for
the cheek raiser AU06 stands the squint AU07, for the nose wrinkler AU09 the raised lip AU10, for tightened
lips AU23 the pressed AU24. Fear and sadness lower no brow: no measured face has AU04 and AU01 together.

How strong they are follows the shared faces. `REST` holds the medians of those that a person called neutral,
and what an expression does not name stays there; named values lie within what those faces show.
"""

from __future__ import annotations

from collections.abc import Sequence

from evidence.errors import UsageError

REST = {"AU02": 0.02, "AU04": 0.17, "AU05": 0.01, "AU07": 0.38, "AU24": 0.06, "AU28": 0.04, "AU45": 0.11}

EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": {"AU12": 0.9, "AU10": 0.5, "AU07": 0.46, "AU16": 0.2},
    "surprise": {"AU01": 0.5, "AU02": 0.5, "AU04": 0.0, "AU05": 0.05, "AU07": 0.2, "AU26": 0.5, "AU45": 0.03},
    "sadness": {"AU01": 0.4, "AU02": 0.2, "AU04": 0.0, "AU15": 0.2, "AU17": 0.5, "AU45": 0.28},
    "anger": {"AU04": 0.85, "AU02": 0.0, "AU07": 0.6, "AU17": 0.2, "AU24": 0.25},
    "disgust": {"AU10": 0.6, "AU04": 0.4, "AU07": 0.5, "AU16": 0.35, "AU20": 0.15},
    "fear": {"AU01": 0.5, "AU02": 0.4, "AU04": 0.0, "AU05": 0.06, "AU07": 0.2, "AU20": 0.3, "AU26": 0.25},
    "blink": {"AU45": 0.8, "AU07": 0.52},
    "mouth-open": {"AU26": 0.6, "AU16": 0.2},
    "kiss": {"AU18": 0.9, "AU24": 0.0},
    "brows-up": {"AU01": 0.6, "AU02": 0.6, "AU04": 0.0, "AU07": 0.25},
    "frown": {"AU04": 0.85, "AU02": 0.0, "AU07": 0.55},
}


def units_of(name: str, names: Sequence[str]) -> tuple[float, ...]:
    """The expression `name` as a value from 0 to 1 for each unit of `names`, in their order.

    Raises UsageError when there is no such expression, or when a unit that makes it is not among `names`.
    """
    if name not in EXPRESSIONS:
        raise UsageError(f"There is no expression {name!r}.", f"There are {', '.join(EXPRESSIONS)}.")
    return intensities(REST | EXPRESSIONS[name], names, needed=EXPRESSIONS[name])


def intensities(
    values: dict[str, float], names: Sequence[str], *, needed: Sequence[str] | dict[str, float] = ()
) -> tuple[float, ...]:
    """`values` in the order of `names`, 0 where none is given; UsageError on one outside 0 to 1."""
    lacking = [unit for unit in needed if unit not in names]
    if lacking:
        raise UsageError(
            f"This expression needs {', '.join(lacking)}, which the model does not have.",
            f"It has {', '.join(names)}.",
        )
    for unit, value in values.items():
        if not 0 <= value <= 1:
            raise UsageError(f"{unit} is {value:g}.", "Action units run from 0 to 1.")
    return tuple(values.get(unit, 0.0) for unit in names)
