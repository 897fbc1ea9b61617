"""A file beside the pictures that its manifest holds: of what it was made from, and of itself when signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evidence.medium import Pixels
from provenance.beside import Difference, Kind, difference
from provenance.manifest_store import CONTENT_CHANGED
from touchstone.report import wording


@dataclass(frozen=True)
class Beside:
    """A picture out of a manifest, the title it has there, and where the file differs from it.

    `differs` is None where the two have different shapes, as after a crop, and where nothing of the file
    could be decoded.
    """

    kind: Kind
    title: str
    pixels: Pixels
    differs: Difference | None


def named_in(provenance: Mapping[str, Any]) -> Iterator[tuple[Kind, str]]:
    """Which pictures the manifest of a report may hold, with their titles, by the report's `provenance`."""
    found = provenance.get("c2pa") or {}
    manifest = found.get("manifest") or {}
    parents = [one for one in manifest.get("ingredients", ()) if one.get("relationship") == "parentOf"]
    if parents:
        yield "parent", str(parents[0].get("title") or "")
    if any(one.get("code") in CONTENT_CHANGED for one in found.get("problems", ())):
        yield "signed", str(manifest.get("title") or "")


def beside(
    provenance: Mapping[str, Any], preview: Pixels | None, find: Callable[[Kind], Pixels | None]
) -> tuple[Beside, ...]:
    """Those that `find` finds, each compared with the file's own picture."""
    there = [(kind, title, find(kind)) for kind, title in named_in(provenance)]
    return tuple(
        Beside(kind, title, pixels, None if preview is None else difference(preview, pixels))
        for kind, title, pixels in there
        if pixels is not None
    )


@dataclass(frozen=True)
class Pair:
    """The same as a template shows it: `theirs` and `ours` are addresses of pictures, ours may be empty."""

    kind: Kind
    title: str
    theirs: str
    ours: str
    differs: Difference | None


def difference_in(plain: Mapping[str, Any] | None) -> Difference | None:
    """A difference as the API gave it."""
    return None if plain is None else Difference(plain["share"], plain["box"])


def difference_words(pair: Pair | Beside) -> str:
    """Where a file differs from the picture beside it."""
    if pair.differs is None:
        return "The two have different shapes, as after a crop, or one of them could not be seen."
    if pair.differs.box is None:
        return "As far as a picture of this size can tell, they look the same."
    left, top, right, bottom = (f"{100 * side:.0f}" for side in pair.differs.box)
    return (
        f"They differ in {wording.percent(pair.differs.share)} of the picture, all of it between {left} and "
        f"{right} % of its width and {top} and {bottom} % of its height."
    )
