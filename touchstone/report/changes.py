"""What a batch says otherwise than the reports before it: verdicts that changed, as a table and in a line."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from evidence.verdict import Report
from touchstone.report.parquet import TableFile
from touchstone.report.sink import Sink
from touchstone.rescanning import Plain, by, jobs_of, rows_of
from worker.jobs.model import Job
from worker.jobs.store import JobStore

NONE = "none"  # no verdict


@dataclass(frozen=True)
class Change:
    """A medium, and what was said of it before and after; `reason` is why there is no verdict any more."""

    path: str
    client_ref: str
    sha256: str
    before: str
    after: str
    fake_probability_before: float | None
    fake_probability_after: float | None
    model_before: str
    model_after: str
    reason: str

    @property
    def flipped(self) -> bool:
        """Whether the verdict is another one."""
        return self.before != self.after


COLUMNS = tuple(field.name for field in fields(Change))


def compared(store: JobStore, job: Job) -> Iterator[Change]:
    """Every medium of a batch that another detector had judged before, with both verdicts."""
    made = {
        row["media"]["sha256"]: [model["sha256"] for model in row["models"]] for _, row in rows_of(store, job)
    }
    made.pop(None, None)
    before: dict[str, Plain] = {}
    for other in jobs_of(store, job.tenant):
        if (other.created, other.id) >= (job.created, job.id):
            continue
        for _, row in rows_of(store, other):
            sha256 = row["media"]["sha256"]
            if row["status"] == "ok" and sha256 in made and not any(by(row, one) for one in made[sha256]):
                before.setdefault(sha256, _short(row))
    for item, row in rows_of(store, job):
        old = before.get(row["media"]["sha256"])
        if old is not None:
            yield _change(old, row, item.client_ref)


def between(before: Report, after: Report) -> Change:
    """What another detector says of the same medium."""
    return _change(_short(before.to_dict()), after.to_dict())


def write_changes(
    found: Iterable[Change],
    *,
    csv_file: Path | None = None,
    jsonl: Path | None = None,
    parquet: Path | None = None,
) -> Counter[tuple[str, str]]:
    """Write the verdicts that changed; how many media went from which verdict to which, the same included.

    Raises OutputError, and UsageError where pyarrow is missing.
    """
    counts: Counter[tuple[str, str]] = Counter()
    with ExitStack() as stack:
        writers: list[Callable[[Change], None]] = []
        for path, line in ((csv_file, csv_line), (jsonl, json_line)):
            if path is not None:
                sink = stack.enter_context(Sink(path))
                if line is csv_line:
                    sink.write(header())
                writers.append(_writer(sink, line))
        if parquet is not None:
            numbers = ("fake_probability_before", "fake_probability_after")
            kinds = {name: "float64" if name in numbers else "string" for name in COLUMNS}
            table = TableFile(parquet, kinds)
            stack.callback(table.close)
            writers.append(lambda change: table.add(tuple(asdict(change).values())))
        for change in found:
            counts[change.before, change.after] += 1
            for write in writers if change.flipped else ():
                write(change)
    return counts


def header() -> str:
    """The first line of the table."""
    return _line(COLUMNS)


def csv_line(change: Change) -> str:
    """A change as a line of the table."""
    return _line(tuple(asdict(change).values()))


def json_line(change: Change) -> str:
    """A change as a line of JSON."""
    return json.dumps(asdict(change), separators=(",", ":")) + "\n"


def in_a_line(counts: Counter[tuple[str, str]]) -> str:
    """How many verdicts changed, and how."""
    flips = {pair: count for pair, count in counts.items() if pair[0] != pair[1]}
    said = ", ".join(
        f"{before} to {after} {count}"
        for (before, after), count in sorted(flips.items(), key=lambda one: (-one[1], one[0]))
    )
    return f"{sum(flips.values())} of {counts.total()} verdicts changed" + (f": {said}" if said else "")


def _writer(sink: Sink, line: Callable[[Change], str]) -> Callable[[Change], None]:
    return lambda change: sink.write(line(change))


def _short(row: Plain) -> Plain:
    """What is compared of a report."""
    reason = row.get("reason") or {}
    return {
        "verdict": row["verdict"] or NONE,
        "fake_probability": row["fake_probability"],
        "model": str(row["engine"].get("detector", "")),
        "reason": "" if row["verdict"] else str(reason.get("code", "")),
    }


def _change(old: Plain, row: Plain, client_ref: str = "") -> Change:
    """From what is compared of a report to a later one."""
    new, media = _short(row), row["media"]
    return Change(
        path=str(media["path"]),
        client_ref=client_ref,
        sha256=media["sha256"] or "",
        before=old["verdict"],
        after=new["verdict"],
        fake_probability_before=old["fake_probability"],
        fake_probability_after=new["fake_probability"],
        model_before=old["model"],
        model_after=new["model"],
        reason=new["reason"],
    )


def _line(cells: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
