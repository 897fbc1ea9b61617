"""What the API takes and gives, field by field. What is taken allows nothing that is not named here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

State = Literal["queued", "running", "done", "failed", "cancelled"]
VerdictWord = Literal["fake", "real", "uncertain"]
Priority = Literal["live", "batch", "low"]
_MOST_NAME = 1024


def _printable(text: str) -> str:
    """Text without control characters and half characters, which no table and no page can show."""
    if any(
        ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 or 0xD800 <= ord(letter) < 0xE000 for letter in text
    ):
        raise ValueError("control characters are not allowed")
    return text


Line = Annotated[str, AfterValidator(_printable)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[Line, Field(max_length=_MOST_NAME)]
ClientRef = Annotated[Line, Field(max_length=256)]


class Taken(BaseModel):
    """A body that a client sends."""

    model_config = ConfigDict(extra="forbid")


class Options(Taken):
    """How media are looked at, and how urgent that is.

    `priority` is live for a scan and batch for a batch unless it is given. `retention_seconds` is how long
    result and medium are kept after the end; empty: as long as the settings say.
    """

    priority: Priority | None = None
    client_ref: ClientRef = ""
    retention_seconds: float | None = Field(None, ge=0, le=10 * 365 * 86_400, allow_inf_nan=False)
    every_seconds: float | None = Field(None, gt=0, le=86_400, allow_inf_nan=False)
    keyframes: bool = False
    max_frames: int | None = Field(None, ge=1, le=1_000_000)
    model: Annotated[Line, Field(max_length=128)] = ""
    webhook: Annotated[Line, Field(max_length=64, description="Its id; it is told of the end.")] = ""


class ScanForm(Options):
    """The fields beside `file` in a form; `name` goes before the name that the file came with."""

    name: Name = ""


class ScanNamed(ScanForm):
    """A scan of a medium that this tenant handed in before, by its sha256, or of one at a url.

    A worker fetches the latter, where TOUCHSTONE_FETCH_WEB allows it.
    """

    sha256: Sha256 = ""
    url: Annotated[Line, Field(max_length=2048)] = ""

    @model_validator(mode="after")
    def _one_medium(self) -> Self:
        if bool(self.sha256) == bool(self.url):
            raise ValueError("name either a sha256 or a url")
        return self


class BatchRow(Taken):
    """A medium of a batch: by its path on the server or its address, or handed in before by its sha256."""

    path: Annotated[Line, Field(max_length=4096)] = ""
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    name: Name = ""
    client_ref: ClientRef = ""


class BatchForm(Options):
    """The fields beside `file`, the manifest, in a form. `folder` is where relative paths of it begin."""

    name: Name = ""
    folder: Annotated[Line, Field(max_length=4096)] = ""


class BatchByItems(BatchForm):
    """A batch of the named media; without `items`, of every file below `folder`."""

    items: list[dict[str, Any]] | None = Field(None, max_length=100_000)


class Said(BaseModel):
    """A code that never changes its meaning, and a sentence for people."""

    code: str
    message: str


class Progress(BaseModel):
    """How many frames, or media of a batch, are done, of how many."""

    done: int
    of: int


class ScanSummary(BaseModel):
    """A scan as it stands, without its report. `links` are null where there is nothing to fetch (yet)."""

    id: str
    state: State
    created: datetime
    finished: datetime | None
    name: str
    sha256: str
    size_bytes: int
    client_ref: str
    priority: Priority
    progress: Progress | None
    status: Literal["ok", "not_applicable", "unable"] | None
    verdict: VerdictWord | None
    fake_probability: float | None
    interval: tuple[float, float] | None
    reason: Said | None
    error: Said | None
    links: dict[str, str | None]


class Scan(ScanSummary):
    """A scan with its report, which is `touchstone.scan/1` (docs/scan.schema.json)."""

    report: dict[str, Any] | None


class Scans(BaseModel):
    """A page of scans, newest first; `next` is the cursor of the page behind it."""

    items: list[ScanSummary]
    next: str | None


class FramePoint(BaseModel):
    """The score of one sampled frame; `t` in seconds of presentation."""

    t: float
    frame: int
    fake_probability: float


class Frames(BaseModel):
    """Every sampled frame of a video, and the stretches that read as fake."""

    items: list[FramePoint]
    segments: list[dict[str, float]]


class KnownMedium(BaseModel):
    """A medium that this tenant handed in, and the scans there are of it."""

    sha256: str
    size_bytes: int
    scans: list[ScanSummary]


class Counts(BaseModel):
    """Media by what was said of them; `none` could not be examined."""

    fake: int = 0
    real: int = 0
    uncertain: int = 0
    none: int = 0


class Batch(BaseModel):
    """A batch as it stands: `done` media have a report, `failed` ones of all could not be examined.

    `retriable` of the failed ones had a dying worker, or a cause that may pass.
    """

    id: str
    state: State
    created: datetime
    finished: datetime | None
    name: str
    client_ref: str
    priority: Priority
    total: int
    done: int
    failed: int
    retriable: int
    counts: Counts
    links: dict[str, str | None]


class Batches(BaseModel):
    """A page of batches, newest first."""

    items: list[Batch]
    next: str | None


class BatchMedium(BaseModel):
    """One medium of a batch, in the order of its manifest; `position` counts from 0."""

    position: int
    name: str
    client_ref: str
    state: Literal["queued", "done", "failed", "cancelled"]
    report: dict[str, Any] | None
    error: Said | None


class BatchMedia(BaseModel):
    """A page of a batch's media. It may be empty and yet have a `next`: filters look at a part at a time."""

    items: list[BatchMedium]
    next: str | None


class Retried(BaseModel):
    """How many media are worked on again."""

    retried: int


class MadeFile(BaseModel):
    """A file of a generation, and where it is fetched.

    `made` is a forgery, and `before` the name of a preview of the picture it was; a `mask` is white where
    its picture was made, the `sheet` shows all of them, and the `manifest` says of what each was made.
    """

    name: str
    url: str
    mime: str
    size_bytes: int
    role: Literal["made", "mask", "sheet", "before", "manifest"] = "made"
    before: str = ""


class Generation(BaseModel):
    """A generation as it stands; `files` are there once it is done. `asked` are its conditions."""

    id: str
    state: State
    created: datetime
    finished: datetime | None
    model: str
    count: int
    seed: int
    asked: dict[str, Any]
    client_ref: str
    priority: Priority
    progress: Progress | None
    error: Said | None
    files: list[MadeFile]
    links: dict[str, str | None]


class Generations(BaseModel):
    """A page of generations, newest first."""

    items: list[Generation]
    next: str | None


class Deleted(BaseModel):
    """What is gone."""

    id: str
    deleted: Literal[True] = True


def moment(seconds: float) -> datetime:
    """Seconds since the epoch as a time of day in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
