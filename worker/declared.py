"""What a file declares of itself, as the section `provenance` of its report; `fusion.py` weighs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from evidence.medium import MediaInfo
from evidence.verdict import nothing_claimed
from provenance.examine import Declared
from provenance.watermark.detect import Mark


def provenance_of(
    info: MediaInfo | None, declared: Declared | None, mark: Mark | None = None
) -> dict[str, Any]:
    """The section `provenance` of a report; `c2pa` is null, `watermark` empty where nobody looked."""
    found = nothing_claimed()
    if info is not None:
        found["metadata"] = list(_lines(info))
    if declared is not None:
        found["c2pa"] = declared.credentials.to_dict()
        found["claims"] = [asdict(claim) for claim in declared.claims]
    if mark is not None:
        found["watermark"] = mark.to_dict()
    return found


def _lines(info: MediaInfo) -> Iterator[str]:
    """What the file says of itself, a line a claim, such as "exif Software: GIMP 2.10"."""
    for source, said in info.metadata.items():
        if isinstance(said, dict):
            yield from (f"{source} {name}: {value}" for name, value in said.items())
        else:
            yield f"{source}: {said}"
