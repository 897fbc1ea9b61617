"""Calibrate an exported detector on labelled pictures, along the path that a scan takes.

Every picture is scored as `touchstone scan` scores it: the exported graph in ONNX Runtime, tiles at native
size. Real and fake are delivered alike, in four ways: as they lie there, after JPEG of quality 75, after a
resize to 0.75 of the sides, and as an H.264 frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.aggregate import parts
from detector.attribution import FamilyReading, calibrate_families, picture_families
from detector.calibrate import Sample, calibrate, fit_part_margin
from detector.corrupt import Step, apply
from detector.entries import Entry
from detector.naming import has_maker
from detector.scoring import Scored, quality_of
from detector.site import real_margin
from detector.thresholds import Calibration
from detector.tiles import choose, cut, plan
from evidence.image import decode_image
from exports.runtime import Detector

AS_DELIVERED = "as delivered"
DELIVERIES: dict[str, tuple[Step, ...]] = {
    AS_DELIVERED: (),
    "JPEG quality 75": (Step("jpeg", {"quality": 75}),),
    "resized to 0.75": (Step("resize", {"factor": 0.75, "kernel": "area"}),),
    "H.264 frame, CRF 23": (Step("video", {"crf": 23}),),
}


@dataclass(frozen=True)
class Reading:
    """One picture under one delivery: what `image_logit` is made of, and its calibration bucket."""

    entry: Entry
    delivery: str
    whole: float
    part: float
    short_side: int
    quality: int
    families: tuple[float, ...] | None = None

    def scored(self, margin: float) -> Scored:
        """The reading with its logit, as `evaluate` takes it."""
        logit = float(np.logaddexp(self.whole, self.part - margin))
        return Scored(self.entry, logit, self.short_side, self.quality, families=self.families)


def readings(
    session: Detector,
    entries: Iterable[Entry],
    tiles: int,
    *,
    deliveries: Mapping[str, tuple[Step, ...]] = DELIVERIES,
    on_progress: Callable[[int], None] | None = None,
) -> list[Reading]:
    """Every picture under every delivery, each file decoded once; raises MediaError."""
    found = []
    for number, entry in enumerate(entries, start=1):
        info, pixels = decode_image(entry.path)
        for delivery, chain in deliveries.items():
            changed = apply(pixels, chain)
            cover = plan(*changed.shape[:2])
            logits, maps, made = session.run(cut(changed, choose(changed, cover, tiles)))
            whole, part = parts(logits, maps)
            families = None if made is None else tuple(picture_families(logits, made).tolist())
            quality = quality_of(info, chain)
            found.append(Reading(entry, delivery, whole, part, min(changed.shape[:2]), quality, families))
        if on_progress is not None:
            on_progress(number)
    return found


def calibrated(found: Sequence[Reading], families: tuple[str, ...] = ()) -> Calibration:
    """The calibration on pictures that were not trained on; `families` are those of the detector's logits.

    Of the forgeries those count that a generator made: photographs put together carry no trace of one, and
    to miss few of them would leave hardly any genuine picture below the threshold of `real`.
    Raises DataError when there are too few pictures, or logits do not rank fakes above reals.
    """
    found = [reading for reading in found if reading.entry.label == "real" or has_maker(reading.entry)]
    reals = [reading for reading in found if reading.entry.label == "real"]
    margin = fit_part_margin([r.whole for r in reals], [r.part for r in reals], np.zeros(len(reals)))
    scored = [reading.scored(margin) for reading in found]
    calibration = calibrate(
        Sample(
            [item.logit for item in scored],
            [float(item.entry.label == "fake") for item in scored],
            [reading.short_side for reading in found],
            [item.quality for item in scored],
            [reading.delivery for reading in found],
        ),
        measured_on=f"{len({r.entry.key for r in reals})} photographs and faces not trained on, each "
        f"delivered in {len({r.delivery for r in reals})} ways",
        part_margin=margin,
    )
    as_they_lie = [reading.scored(margin) for reading in reals if reading.delivery == AS_DELIVERED]
    calibration = replace(calibration, real_margin=real_margin(calibration, as_they_lie))
    return replace(calibration, families=_families(found, families)) if families else calibration


def _families(found: Sequence[Reading], families: tuple[str, ...]) -> FamilyReading:
    """How family logits are read, from every delivery of the forgeries that a generator made."""
    made = [reading for reading in found if reading.families and reading.entry.label == "fake"]
    return calibrate_families(
        np.array([reading.families for reading in made], np.float64),
        [families.index(r.entry.family) if r.entry.family in families else -1 for r in made],
        families,
        deliveries=[reading.delivery for reading in made],
    )
