"""What a detector says of tiles: the words between its session and whoever reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels

Array = NDArray[np.float32]

FAMILIES = "families"  # the output of a detector's graph that tells who made a picture


class Scores(NamedTuple):
    """Raw answers on n tiles, high = fake: logits (n,), maps (n, h / 8, w / 8), families (n, F).

    `families` are logits of who made a tile if it is forged, None of a detector that does not tell.
    """

    logits: Array
    maps: Array
    families: Array | None = None

    def part(self, tiles: slice) -> Scores:
        """The answers on some of the tiles."""
        families = None if self.families is None else self.families[tiles]
        return Scores(self.logits[tiles], self.maps[tiles], families)


# Tiles uint8 (n, h, w, 3) -> what the detector says of them: the `run` of a detector's session.
Detect = Callable[[Pixels], Scores]
