"""Whether the fields that a person sets by `--set` can be meant, said before anything is built."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from evidence.errors import UsageError

# Fields that are 1 at least, in whichever system, as are those whose name ends in `width` or `widths`.
_SOME = (
    *(
        "bottleneck",
        "channels",
        "codebook",
        "code_groups",
        "condensed",
        "condition",
        "deep",
        "embedding",
        "expansion",
    ),
    *(
        "feature_base",
        "feature_max",
        "first_size",
        "halvings",
        "hole",
        "identity",
        "largest_batch",
        "largest_kernel",
    ),
    *("latent", "length", "mapping_layers", "matching_batch", "path_interval", "persons"),
    *("pose_bins", "style", "text", "total_images"),
)
# Numbers of layers; each of more than these would be built for minutes before anything failed.
_LAYERS = ("blocks", "critic_levels", "halvings", "local_levels", "residuals")
_MOST_LAYERS = 64
_MOST = 2**24  # of channels, pixels, pictures a step; `_images` count a whole run and have no such bound
_SHARES = ("dropout", "decay_from", "mixing")  # from 0 to 1
_BETAS = ("betas", "final_beta2")
_BELOW_1 = 0.999999  # at 1 a moving average of Adam would never move


def require_sensible(part: Any, values: Mapping[str, Any]) -> None:
    """Raise UsageError for the first of `values`, fields of the options `part`, that nobody can mean.

    Options name what they can do without in a class variable `may_be_none`.
    """
    hints = get_type_hints(type(part))
    for name, value in values.items():
        hint = hints[name]
        allowed = get_args(hint) if get_origin(hint) is Literal else ()
        if allowed and value not in allowed:
            raise UsageError(
                f"{name}={value} is none of what {name} can be.",
                f"Write --set {name}={' or '.join(str(choice) for choice in allowed)}.",
            )
        several = value if isinstance(value, tuple) else (value,)
        kinds = get_args(hint) if isinstance(value, tuple) else ()
        if kinds and Ellipsis not in kinds and len(kinds) != len(several):
            now = as_set(getattr(part, name))
            raise UsageError(f"{name} is of {len(kinds)} numbers.", f"Write --set {name}={now}, for example.")
        some = name in _SOME or name.endswith(("width", "widths"))
        least = 1 if some and name not in getattr(part, "may_be_none", ()) else 0
        for number in several:
            if not isinstance(number, int | float):
                continue
            most = _most(name, number)
            if not least <= number <= most or number == math.inf:
                # Of a bound that nobody comes near by intent only who passes it has to hear.
                far = most == math.inf or (most == _MOST and number < least)
                words = f"{least} or more" if far else f"a number from {least} to {most:,}"
                raise UsageError(f"{name}={as_set(value)} makes no sense.", f"Take {words}.")


def _most(name: str, number: int | float) -> float:
    if name in _BETAS:
        return _BELOW_1
    if name in _SHARES:
        return 1
    if name in _LAYERS or name.endswith("_layers"):
        return _MOST_LAYERS
    return _MOST if isinstance(number, int) and not name.endswith("_images") else math.inf


def as_set(value: Any) -> str:
    """A value as `--set` takes it."""
    return ",".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
