"""`ReportItem`: what every report writer is handed for one medium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels
from evidence.verdict import Report
from touchstone.report.beside import Beside


@dataclass(frozen=True)
class ReportItem:
    """One report and the pictures a writer may draw beside it.

    `preview` is RGB uint8 (H, W, 3), upright, at most 1024 px a side; of a video it is the frame that
    reads most as fake. `heat` is float32 (rows, cols), the fake probability 0..1 over that same
    picture, NaN where the detector did not look. Both are None where nothing was decoded, and for a
    report `taken_over` from an earlier scan. `beside` are the pictures that the file's manifest holds.
    """

    report: Report
    preview: Pixels | None = None
    heat: NDArray[np.float32] | None = None
    taken_over: bool = False
    beside: tuple[Beside, ...] = ()
