"""Celery's tasks, and what a Celery worker does beside them: it tells Redis, reaps, sweeps, sends webhooks.

There is one task: do the shard of this number, if it is still ready. Each worker process also runs a
steward, a thread that tells Redis of ready shards; several of them share that work by the store's locks.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from celery import signals
from kombu.exceptions import OperationalError

from evidence.errors import StoreError
from worker.app import QUEUES, app
from worker.jobs.leases import Leases
from worker.jobs.store import JobStore
from worker.jobs.telling import untold
from worker.media import MediaStore
from worker.settings import Settings, load_settings
from worker.sweeping import sweep
from worker.webhooks import Courier
from worker.workman import Workman

log = logging.getLogger("touchstone.worker")

# Messages that may wait in one queue; more would only be told again before they are read.
WAITING = 64
TELL_SECONDS, REAP_SECONDS, SWEEP_SECONDS = 0.2, 1.0, 60.0
# After the broker or the store could not be reached.
PAUSE_SECONDS = 1.0


@app.task(name="touchstone.shard")  # type: ignore[untyped-decorator]
def shard(number: int) -> None:
    """Do the shard of this number, and more that are ready with it; nothing if it is taken or done."""
    try:
        _at_work().work(number)
    except StoreError as error:  # the shard stays ready, or its lease runs out: it is told of again
        log.warning("%s", error)


class Steward(threading.Thread):
    """Tells the broker of ready shards, takes back leases that ran out, and cleans up."""

    def __init__(self, store: JobStore, media: MediaStore) -> None:
        super().__init__(name="steward", daemon=True)
        self._store, self._media, self._leases = store, media, Leases(store)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def run(self) -> None:
        reap = sweep_at = 0.0
        while not self._stopping.wait(TELL_SECONDS):
            now = time.monotonic()
            try:
                if now >= reap:
                    self._leases.reap()
                    reap = now + REAP_SECONDS
                if now >= sweep_at:
                    sweep(self._store, self._media)
                    sweep_at = now + SWEEP_SECONDS
                self._tell()
            except (StoreError, OperationalError, OSError) as error:
                log.warning("%s", error)
                self._stopping.wait(PAUSE_SECONDS)

    def _tell(self) -> None:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)
            channel = connection.default_channel
            room = {lane: WAITING - channel.client.llen(name) for lane, name in QUEUES.items()}
            for lane, numbers in untold(self._store, room).items():
                for number in numbers:
                    shard.apply_async((number,), queue=QUEUES[lane], connection=connection)


def courier_of(settings: Settings, store: JobStore) -> Courier | None:
    """Who sends webhooks from a worker of these settings, if it has a way out."""
    return Courier(store, private=settings.webhook_private) if settings.webhook_sender else None


_workman: Workman | None = None
_steward: Steward | None = None
_courier: Courier | None = None


def _at_work() -> Workman:
    """This process's workman, made when it is needed: after any fork of the pool."""
    global _workman
    if _workman is None:
        store, media = _stores()
        lanes = [lane for lane, name in QUEUES.items() if name in app.amqp.queues.consume_from]
        _workman = Workman(store, media, load_settings(), lanes=lanes).__enter__()
    return _workman


def _stores() -> tuple[JobStore, MediaStore]:
    settings = load_settings()
    return JobStore(settings.store_url), MediaStore(settings.media_folder, max_bytes=settings.max_bytes)


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    global _steward, _courier
    _at_work().warm()
    store, media = _stores()
    _steward = Steward(store, media)
    _steward.start()
    _courier = courier_of(load_settings(), store)
    if _courier is not None:
        _courier.start()


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _stop(**_: Any) -> None:
    for thread in (_steward, _courier):
        if thread is not None:
            thread.stop()
    if _workman is not None:
        _workman.stop()


@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    if _workman is not None:
        _workman.__exit__(None, None, None)
