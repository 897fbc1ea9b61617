"""What the API takes and gives of provenance and of the log, field by field."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from provenance.beside import Difference
from touchstone.api.schemas import Name, Taken


class AboutForm(Taken):
    """The field beside `file` in the form of a medium that is asked about."""

    name: Name = ""


class Asked(BaseModel):
    """A medium that was asked about and is not kept."""

    name: str
    sha256: str
    size_bytes: int


class Differs(BaseModel):
    """How much of a picture differs from another, and the box around that, in shares of its sides."""

    share: float
    box: tuple[float, float, float, float] | None

    @classmethod
    def of(cls, found: Difference | None) -> Differs | None:
        """A difference as the API says it."""
        return None if found is None else cls(share=found.share, box=found.box)


class Changed(BaseModel):
    """What a medium was when it was `signed` and is `now`, small JPEGs in base 64, and where they differ.

    The first is out of its manifest. `differs` is null where the two have different shapes, as after a crop.
    """

    signed: str
    now: str
    differs: Differs | None


class Verification(Asked):
    """What a medium says of itself; `words` are the same in sentences.

    `credentials` has the state and the manifest tree, each of `claims` is only a claim, and `watermark` is
    null where nobody looked for one. `changed` is null unless the medium was changed after it was signed and
    its manifest holds a picture of what it was.
    """

    mime: str
    credentials: dict[str, Any]
    claims: list[dict[str, Any]]
    watermark: dict[str, Any] | None
    words: list[str]
    changed: Changed | None = None


class Seen(Asked):
    """Where a medium was seen before, the surest first; each sighting as in a report's `near_duplicates`.

    `compared` counts the hashes it was compared with; `looked_for` is "bytes" where there is too little in
    the picture to know it by more.
    """

    sightings: list[dict[str, Any]]
    left_out: int
    compared: int
    looked_for: Literal["picture", "bytes"]


class ScanBeside(BaseModel):
    """What a medium was made from, or was when it was signed, by the picture that its manifest holds."""

    title: str
    url: str
    width: int
    height: int
    differs: Differs | None


class LogState(BaseModel):
    """The transparency log: its name, how many entries it has, their root, and the key that signs it."""

    origin: str
    size: int
    root: str
    key: str


class LogProof(BaseModel):
    """What the log holds, and the proof that it does, which `touchstone log verify` checks."""

    entry: dict[str, Any]
    proof: str


class LogProofs(BaseModel):
    """What the log holds of a medium, newest first, each with its proof."""

    items: list[LogProof]


class LogConsistency(BaseModel):
    """The proof that the log of `checkpoint` begins with its first `first` entries (RFC 9162, 2.1.4)."""

    first: int
    hashes: list[str]
    checkpoint: str
