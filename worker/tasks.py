"""Celery's tasks, and what a Celery worker does beside them: it tells Redis, reaps, sweeps, sends webhooks.

There is one task: do the shard of this number, if it is still ready. Each worker process also runs a
steward, a thread that tells Redis of ready shards; several of them share that work by the store's locks.
Steward and watchman begin before Redis is reached, and go on while it is not.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

from celery import signals
from kombu.exceptions import OperationalError

from evidence.errors import StoreError
from worker.app import QUEUES, app
from worker.jobs.leases import Leases
from worker.jobs.ledger import INTEGRATE_SECONDS, Ledger
from worker.jobs.reaping import REAP_SECONDS, Reaper
from worker.jobs.store import JobStore
from worker.jobs.telling import untold
from worker.media import MediaStore
from worker.settings import Settings, load_settings
from worker.sweeping import sweep
from worker.watchman import Watchman
from worker.webhooks import Courier
from worker.workman import Workman

log = logging.getLogger("touchstone.worker")

# Messages that may wait in one queue; more would only be told again before they are read.
WAITING = 64
TELL_SECONDS, SWEEP_SECONDS = 0.2, 60.0
# After the broker or the store could not be reached.
PAUSE_SECONDS = 1.0


@app.task(name="touchstone.shard")  # type: ignore[untyped-decorator]
def shard(number: int) -> None:
    """Do the shard of this number, and more that are ready with it; nothing if it is taken or done."""
    _watch().told(number)


class Steward(threading.Thread):
    """Takes back leases that ran out, cleans up, sends webhooks, and tells the broker of ready shards.

    A store that cannot be reached is waited for, at the start too; a broker that cannot be keeps only the
    telling back.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="steward", daemon=True)
        self._settings = settings
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                store, media = _stores(self._settings)
            except StoreError as error:
                log.warning("%s", error)
                self._stopping.wait(PAUSE_SECONDS)
                continue
            courier = courier_of(self._settings, store)
            if courier is not None:
                courier.start()
            self._serve(store, media)
            if courier is not None:
                courier.stop()
                courier.join()
            store.close()

    def _serve(self, store: JobStore, media: MediaStore) -> None:
        reaper = Reaper(Leases(store), self._settings.lease_seconds)
        ledger = Ledger(store.engine)
        reap = sweep_at = integrate_at = 0.0
        while not self._stopping.wait(TELL_SECONDS):
            now = time.monotonic()
            try:
                if now >= reap:
                    reaper.reap()
                    reap = now + REAP_SECONDS
                if now >= sweep_at:
                    sweep(store, media)
                    sweep_at = now + SWEEP_SECONDS
                if now >= integrate_at:
                    ledger.integrate()
                    integrate_at = now + INTEGRATE_SECONDS
                self._tell(store)
            except (StoreError, OperationalError, OSError) as error:
                log.warning("%s", error)
                self._stopping.wait(PAUSE_SECONDS)

    def _tell(self, store: JobStore) -> None:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)
            channel = connection.default_channel
            room = {lane: WAITING - channel.client.llen(name) for lane, name in QUEUES.items()}
            for lane, numbers in untold(store, room).items():
                for number in numbers:
                    shard.apply_async((number,), queue=QUEUES[lane], connection=connection)


def courier_of(settings: Settings, store: JobStore) -> Courier | None:
    """Who sends webhooks from a worker of these settings, if it has a way out."""
    return Courier(store, private=settings.webhook_private) if settings.webhook_sender else None


# Celery imports this in its main process, before a pool forks.
_MAIN = os.getpid()
_workman: Workman | None = None
_watchman: Watchman | None = None
_steward: Steward | None = None
_opening = threading.Lock()


def _watch() -> Watchman:
    """This process's watchman, made when it is needed: after any fork of the pool."""
    global _watchman
    with _opening:
        if _watchman is None:
            _watchman = Watchman(lambda number: _at_work().work(number))
            _watchman.start()
        return _watchman


def _at_work() -> Workman:
    """This process's workman. Raises StoreError."""
    global _workman
    if _workman is None:
        settings = load_settings()
        store, media = _stores(settings)
        lanes = [lane for lane, name in QUEUES.items() if name in app.amqp.queues.consume_from]
        _workman = Workman(store, media, settings, lanes=lanes).__enter__()
        _workman.warm()
    return _workman


def _stores(settings: Settings) -> tuple[JobStore, MediaStore]:
    return JobStore(settings.store_url), MediaStore(settings.media_folder, max_bytes=settings.max_bytes)


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    """In each process that works; with the solo pool that is the main one, not connected yet."""
    _watch()
    if os.getpid() == _MAIN:
        _lead()


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def _lead(**_: Any) -> None:
    global _steward
    if _steward is None:
        _steward = Steward(load_settings())
        _steward.start()


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _stop(**_: Any) -> None:
    for thread in (_steward, _watchman):
        if thread is not None:
            thread.stop()
    if _workman is not None:
        _workman.stop()


@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    if _watchman is not None:
        _watchman.join()
    if _workman is not None:
        _workman.__exit__(None, None, None)
    if _steward is not None:
        _steward.join()
