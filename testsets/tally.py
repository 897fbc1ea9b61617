"""How often an attack turned the verdict, attack by attack and detector by detector, with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from exports.manifest import Row

CLEAR_DB = 38.0  # from this PSNR on a change is not seen


@dataclass(frozen=True)
class Line:
    """One attack on the pictures of one label, judged by one detector.

    `judged` were called by their label before, of which `turned` are not any more, `turned_clear` at a PSNR
    of 38 dB or more; `missed` were called otherwise from the start. Medians are over what turned.
    """

    attack: str
    detector: str
    label: str
    pictures: int
    missed: int
    judged: int
    turned: int
    turned_clear: int
    psnr: float | None
    ssim: float | None
    queries: float | None
    smallest: float | None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share that turned."""
        return wilson(self.turned, self.judged)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with the share and its interval."""
        share = self.turned / self.judged if self.judged else None
        return {**asdict(self), "success": share, "interval": list(self.interval) if self.judged else None}


def tally(rows: Sequence[Row]) -> list[Line]:
    """The lines of a set's rows: the attacked detector first, then those that it was carried over to."""
    attacks = dict.fromkeys(_spelled(row) for row in rows)
    lines = []
    for attack in attacks:
        own = [row for row in rows if _spelled(row) == attack]
        for label in sorted({str(row["label"] or "") for row in own}):
            group = [row for row in own if str(row["label"] or "") == label]
            detectors = dict.fromkeys(name for row in group for name in _verdicts(row))
            lines += [_line(attack, detector, label, group) for detector in detectors]
            if not detectors:
                lines.append(_line(attack, "", label, group))
    return lines


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share (E. B. Wilson 1927); all of it where nothing was counted."""
    if n == 0:
        return 0.0, 1.0
    share, scale = hits / n, 1 + z**2 / n
    centre = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _line(attack: str, detector: str, label: str, rows: Sequence[Row]) -> Line:
    seen = [(row, _verdicts(row).get(detector)) for row in rows]
    judged = [
        (row, verdict)
        for row, verdict in seen
        if verdict is not None and verdict["flipped"] is not None and _right(label, verdict["fake"])
    ]
    turned = [row for row, verdict in judged if verdict["flipped"]]
    least = [_least(row) for row in turned]
    return Line(
        attack,
        detector,
        label,
        pictures=len(rows),
        missed=sum(verdict is not None and not _right(label, verdict["fake"]) for _, verdict in seen),
        judged=len(judged),
        turned=len(turned),
        turned_clear=sum(row["psnr"] >= CLEAR_DB for row in turned),
        psnr=_middle(row["psnr"] for row in (turned if detector else rows)),
        ssim=_middle(row["ssim"] for row in (turned if detector else rows)),
        queries=_middle(row["queries"] for row in turned),
        smallest=_middle(value for value in least if value is not None),
    )


def _right(label: str, fake: bool) -> bool:
    return not label or fake == (label == "fake")


def _spelled(row: Row) -> str:
    attack = row["attack"]
    return f"{attack['name']}:{','.join(f'{key}={value}' for key, value in attack['settings'].items())}"


def _verdicts(row: Row) -> dict[str, Row]:
    """What each detector said of a row's picture."""
    others: dict[str, Row] = row["transfer"]
    own = {} if row["model"] is None else {row["model"]: {"fake": row["fake"], "flipped": row["flipped"]}}
    return own | others


def _least(row: Row) -> float | None:
    found: dict[str, float] = row["smallest"]
    return found.get("eps", found.get("share"))


def _middle(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(median(found)) if found else None
