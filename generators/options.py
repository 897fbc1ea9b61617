"""Whether the fields that a person sets by `--set` can be meant, said before anything is built."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from evidence.errors import UsageError

# Fields that are 1 at least, in whichever system, as are those whose name ends in `width` or `widths`.
_SOME = ("channels", "embedding", "latent", "mapping_layers", "text", "total_images")
_SHARES = ("dropout", "decay_from")  # from 0 to 1
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
            now = _said(getattr(part, name))
            raise UsageError(f"{name} is of {len(kinds)} numbers.", f"Write --set {name}={now}, for example.")
        some = name in _SOME or name.endswith(("width", "widths"))
        least = 1 if some and name not in getattr(part, "may_be_none", ()) else 0
        most = _BELOW_1 if name == "betas" else 1 if name in _SHARES else math.inf
        for number in several:
            if isinstance(number, int | float) and not least <= number <= most:
                words = f"{least} or more" if most == math.inf else f"a number from {least} to {most:g}"
                raise UsageError(f"{name}={_said(value)} makes no sense.", f"Take {words}.")


def _said(value: Any) -> str:
    return ",".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
