"""What every route works with: the parts of the service, and the desk at which one tenant is served.

Routes reach jobs, files and events only through a `Desk`, which belongs to one tenant: what another tenant
has is not there for it, in the same words as what nobody has.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from anyio import CapacityLimiter
from fastapi import Request

from evidence.errors import NoSuchJob, NoSuchMedium
from touchstone.api.intake import Intake
from touchstone.api.metrics import Counters
from touchstone.api.quotas import Quotas
from touchstone.api.rates import Rates, Sharing
from touchstone.api.tally import Tally
from touchstone.api.watch import Watch
from worker.jobs.api_keys import ApiKeys
from worker.jobs.buckets import Buckets
from worker.jobs.holdings import jobs_holding, media_of
from worker.jobs.leases import Leases
from worker.jobs.model import Job, Shard
from worker.jobs.search import Search, count_states, find_jobs
from worker.jobs.store import JobStore
from worker.logbook import Logbook
from worker.media import MediaStore
from worker.origins import Origins
from worker.remembering import open_registry
from worker.settings import Settings
from worker.sweeping import drop_unheld


class Runner(Protocol):
    """What works on jobs beside the API; `worker.embedded.EmbeddedRunner` is one."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    @property
    def running(self) -> bool: ...


@dataclass
class Service:
    """The parts of one API process."""

    settings: Settings
    store: JobStore
    media: MediaStore
    runner: Runner | None = None
    counters: Counters = field(default_factory=Counters)
    keys: ApiKeys = field(init=False)
    leases: Leases = field(init=False)
    watch: Watch = field(init=False)
    tally: Tally = field(init=False)
    rates: Rates = field(init=False)
    guesses: Rates = field(init=False)
    sharing: Sharing | None = field(init=False)
    quotas: Quotas = field(init=False)
    intake: Intake = field(init=False)
    logbook: Logbook = field(init=False)
    origins: Origins = field(init=False)
    asking: CapacityLimiter = field(init=False)
    locked: bool = False
    looked_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.keys, self.leases = ApiKeys(self.store), Leases(self.store)
        self.watch, self.tally = Watch(self.store), Tally(self.store)
        # A store that is a file of this machine is served by one process.
        shared = None if self.store.engine.dialect.name == "sqlite" else Buckets(self.store)
        self.rates = Rates(self.settings.requests_per_minute, "requests", shared)
        self.guesses = Rates(60, "guesses", shared)
        self.sharing = None if shared is None else Sharing([self.rates, self.guesses])
        self.quotas = Quotas(self.settings, self.store)
        self.intake = Intake(self.store, self.media)
        self.logbook = Logbook(self.store.engine, self.settings)
        self.origins = Origins(self.settings, open_registry(self.store.engine))
        self.asking = CapacityLimiter(self.settings.decoders)


def service_of(request: Request) -> Service:
    """The parts behind the app that serves a request."""
    service: Service = request.app.state.service
    return service


@dataclass(frozen=True)
class Desk:
    """Where one tenant is served."""

    service: Service
    tenant: str
    admin: bool = False

    @property
    def store(self) -> JobStore:
        return self.service.store

    def job(self, job: str, kind: str) -> Job:
        """The tenant's job of a kind; raises NoSuchJob."""
        found = self.store.get(job, self.tenant)
        if found.kind != kind:
            raise NoSuchJob(f"There is no {kind} {job}.", "List what there is, or submit it again.")
        return found

    def first_shard(self, job: Job) -> Shard | None:
        """The first shard of one of the tenant's jobs; of a scan that is all of it."""
        return next(iter(self.store.shards(job.id, limit=1)), None)

    def find(self, search: Search) -> list[tuple[Job, Shard | None]]:
        """The tenant's jobs that are searched for, newest first."""
        return find_jobs(self.store.engine, self.tenant, search)

    def counts(self, since: float = 0.0) -> dict[tuple[str, str], int]:
        """How many jobs of each (kind, state) the tenant made since then."""
        return count_states(self.store.engine, self.tenant, since=since)

    def may_submit(self) -> None:
        """Raise TooMany when the tenant's quota is used up, StoreFull when the disk is."""
        self.service.quotas.look(self.tenant)

    def holds(self, sha256: str) -> bool:
        """Whether this tenant handed in a medium that is still here."""
        found = jobs_holding(self.store.engine, self.tenant, sha256, limit=1)
        return bool(found) and self.service.media.has(sha256)

    def medium(self, sha256: str) -> Path:
        """The file of a medium that this tenant handed in; raises NoSuchMedium for anybody else's too."""
        if not jobs_holding(self.store.engine, self.tenant, sha256, limit=1):
            raise NoSuchMedium(f"You handed in no medium {sha256}.", "Upload it.")
        return self.service.media.path(sha256)

    def sum_of(self, job: Job) -> str:
        """The sha256 of a scan's medium; raises NoSuchMedium for one that could not be fetched (yet)."""
        found = str(job.request["sha256"]) or next(iter(media_of(self.store.engine, job.id)), "")
        if not found:
            raise NoSuchMedium("The medium of this scan was not fetched.", "Wait for its end.")
        return found

    def jobs_with(self, sha256: str) -> list[Job]:
        """The tenant's jobs that need a medium, newest first."""
        found = []
        for job in jobs_holding(self.store.engine, self.tenant, sha256):
            with contextlib.suppress(NoSuchJob):  # deleted just now
                found.append(self.store.get(job, self.tenant))
        return sorted(found, key=lambda job: (-job.created, job.id))

    def name_of(self, sha256: str) -> str:
        """What the tenant called a medium last."""
        return next(
            (str(job.request["name"]) for job in self.jobs_with(sha256) if job.kind == "scan"), sha256
        )

    def delete(self, job: Job) -> None:
        """Delete a job with all that belongs to it; media that nobody needs any more go at once."""
        media = media_of(self.store.engine, job.id)
        self.store.remove(job.id, self.tenant)
        self.service.media.forget(job.id)
        drop_unheld(self.store.engine, self.service.media, media)
