"""How far a batch is: counts of verdicts and causes, speed and time left, in a line or as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from touchstone.api.tally import Tally
from touchstone.report.batch import reason_of
from worker.jobs.model import Job, Shard, ShardState
from worker.jobs.store import JobStore
from worker.retrying import PASSING

_CAUSE = "cause "
_VERDICTS = ("fake", "real", "uncertain", "none")


@dataclass(frozen=True)
class Standing:
    """A batch as it stands.

    `failures` are media without a result, by their cause; `retriable` of them may go well another time.
    """

    id: str
    state: str
    done: int
    of: int
    verdicts: dict[str, int]
    failures: dict[str, int]
    retriable: int
    per_second: float | None
    seconds_left: float | None

    @property
    def failed(self) -> int:
        """Media without a result."""
        return sum(self.failures.values())

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    def __str__(self) -> str:
        parts = [f"{self.id} {self.state}: {self.done} of {self.of} media"]
        said = [f"{count} {word}" for word, count in self.verdicts.items() if count and word != "none"]
        if self.failed:
            causes = ", ".join(f"{code} {count}" for code, count in sorted(self.failures.items()))
            said.append(f"{self.failed} failed ({causes})")
        if said:
            parts.append(", ".join(said))
        if self.per_second is not None:
            parts.append(f"{self.per_second:.1f} a second")
        if self.seconds_left is not None:
            parts.append(f"{self.seconds_left:.0f} s left")
        return " · ".join(parts)


class Watcher:
    """Looks at one batch again and again, and reads each of its reports once.

    The speed is that since `begun` with `before` media done; without it, since its first worker came.
    """

    def __init__(self, store: JobStore, job: Job) -> None:
        self._store, self._job = store, job
        self._tally = Tally(store, _words)
        self._begun: tuple[float, int] | None = None

    def begin(self) -> None:
        """Count the speed from now on."""
        self._begun = (self._store.clock(), self.look().done)

    def look(self) -> Standing:
        """The batch now."""
        job = self._store.get(self._job.id, self._job.tenant)
        counts = self._tally.counts(job)
        failures = Counter(
            {word.removeprefix(_CAUSE): count for word, count in counts.items() if word.startswith(_CAUSE)}
        )
        if counts["dead"]:
            for shard in self._dead():
                failures[reason_of(shard.cause).code] += len(shard.payload["items"])
        verdicts = {word: counts[word] for word in _VERDICTS}
        done, of = sum(verdicts.values()) + counts["dead"], self._tally.total(job)
        since, before = self._begun or (self._first_worker(job), 0)
        speed = None
        if since is not None and done > before:
            speed = (done - before) / max(1e-3, (job.finished or self._store.clock()) - since)
        left = (of - done) / speed if speed and not job.state.ended else None
        passing = sum(counts[_CAUSE + code] for code in PASSING) + counts["dead"]
        return Standing(job.id, job.state.value, done, of, verdicts, dict(failures), passing, speed, left)

    def _dead(self) -> list[Shard]:
        found: list[Shard] = []
        while part := self._store.shards(
            self._job.id, after=found[-1].position if found else -1, state=ShardState.DEAD
        ):
            found += part
        return found

    def _first_worker(self, job: Job) -> float | None:
        events = self._store.events(job.id, limit=10)
        return next((event.at for event in events if event.kind == "running"), None)


def _words(shard: Shard) -> Counter[str]:
    words: Counter[str] = Counter()
    for row in (shard.result or {})["rows"]:
        words[row["verdict"] or "none"] += 1
        if row["status"] == "unable":
            words[_CAUSE + row["reason"]["code"]] += 1
    return words
