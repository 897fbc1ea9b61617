"""Workers beside the API, with nothing else installed: processes of our own that lease from the job store.

A supervisor starts them, takes back at once what a dead one held, starts another in its place, takes back
leases that ran out, sends webhooks and cleans up. Killed at any instant, the next start goes on where it
was.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from evidence.errors import StoreError
from worker.jobs.leases import Leases
from worker.jobs.ledger import INTEGRATE_SECONDS, Ledger
from worker.jobs.model import Lane
from worker.jobs.reaping import REAP_SECONDS, Reaper
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.process import READY
from worker.settings import Settings
from worker.sweeping import sweep
from worker.webhooks import Courier
from worker.workman import owner_name

log = logging.getLogger("touchstone.supervisor")

LOOK_SECONDS = 0.1
# The niceness of workers that do batches: they get a ninth of what an ordinary process gets.
GIVING_WAY = 10
SWEEP_SECONDS = 60.0
# A worker that died before it could work is started again after 0.5 s, 1 s, 2 s, and so on.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
# What is under way when the service stops has so long to be given back.
PATIENCE_SECONDS = 20.0


@dataclass
class _Post:
    """The place of one worker process: what it does, who is there, and when the next may come."""

    lanes: tuple[Lane, ...] = tuple(Lane)
    nice: int = 0
    process: subprocess.Popen[bytes] | None = None
    owner: str = ""
    ready: bool = False
    failures: int = 0
    not_before: float = 0.0


@dataclass
class _Chore:
    """Something the supervisor does every so often."""

    seconds: float
    do: Callable[[], object]
    due: float = field(default_factory=time.monotonic)


class EmbeddedRunner:
    """`workers` processes that work on the jobs of the settings' store, supervised by a thread here.

    Of several the first half is for the live lane, the others do batches and give way to them: a person waits
    for no batch, and without people a batch has the machine to itself.
    """

    def __init__(self, settings: Settings, workers: int | None = None) -> None:
        self._settings = settings
        count = settings.workers if workers is None else workers
        live = count // 2
        self._posts = [_Post((Lane.LIVE,)) for _ in range(live)]
        self._posts += [_Post((Lane.BATCH, Lane.LOW), GIVING_WAY) for _ in range(count - live)]
        if count == 1:
            self._posts = [_Post()]
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether the supervisor lives and a worker is ready."""
        alive = self._thread is not None and self._thread.is_alive()
        return alive and any(post.ready for post in self._posts)

    @property
    def processes(self) -> list[int]:
        """The numbers of the worker processes that live."""
        return [post.process.pid for post in self._posts if post.process is not None]

    def start(self) -> None:
        """Begin; returns at once. Raises StoreError when the store cannot be used."""
        store = JobStore(self._settings.store_url)
        media = MediaStore(self._settings.media_folder, max_bytes=self._settings.max_bytes)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._supervise, args=(store, media), name="supervisor")
        self._thread.start()

    def stop(self) -> None:
        """Have the workers give back what is under way, and wait for their end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _supervise(self, store: JobStore, media: MediaStore) -> None:
        leases = Leases(store)
        chores = [
            _Chore(REAP_SECONDS, Reaper(leases, self._settings.lease_seconds).reap),
            _Chore(SWEEP_SECONDS, lambda: sweep(store, media)),
            _Chore(INTEGRATE_SECONDS, Ledger(store.engine).integrate),
        ]
        courier = Courier(store, private=self._settings.webhook_private)
        courier.start()
        try:
            while not self._stopping.wait(LOOK_SECONDS):
                for post in self._posts:
                    self._look_after(post, leases)
                for chore in chores:
                    if chore.due <= time.monotonic():
                        chore.due = time.monotonic() + chore.seconds
                        _unless_unreachable(chore.do)
        finally:
            courier.stop()
            self._end_all(leases)
            courier.join()
            store.close()

    def _look_after(self, post: _Post, leases: Leases) -> None:
        now = time.monotonic()
        if post.process is None:
            if now >= post.not_before:
                self._place(post)
            return
        assert post.process.stdout is not None
        if not post.ready and post.process.stdout.read(len(READY)):
            post.ready, post.failures = True, 0
        if (code := post.process.poll()) is None:
            return
        if not _take_back(leases, post.owner, code):
            return  # the next look tries again
        post.failures = 0 if post.ready else post.failures + 1
        post.not_before = now + _pause(post.failures)
        _bury(post)

    def _place(self, post: _Post) -> None:
        post.owner, post.ready = owner_name(), False
        command = [sys.executable, "-m", "worker.process"]
        try:
            post.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        except OSError as error:  # no memory or no handles just now
            log.warning("a worker cannot be started: %s", error)
            post.failures += 1
            post.not_before = time.monotonic() + _pause(post.failures)
            return
        assert post.process.stdin is not None
        assert post.process.stdout is not None
        os.set_blocking(post.process.stdout.fileno(), False)
        told = {
            "owner": post.owner,
            "lanes": [int(lane) for lane in post.lanes],
            "nice": post.nice,
            "settings": self._settings.model_dump(mode="json"),
        }
        with contextlib.suppress(BrokenPipeError):  # it died at once; the next look sees that
            post.process.stdin.write(json.dumps(told).encode() + b"\n")

    def _end_all(self, leases: Leases) -> None:
        for post in self._posts:
            if post.process is not None:
                post.process.terminate()
        end = time.monotonic() + PATIENCE_SECONDS
        for post in self._posts:
            if post.process is None:
                continue
            try:
                code = post.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                post.process.kill()
                code = post.process.wait()
            if code != 0:  # one that ended well gave everything back
                _take_back(leases, post.owner, code)
            _bury(post)


def _pause(failures: int) -> float:
    """How long a post stays empty after so many workers in a row that could not work."""
    return min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS) if failures else 0.0


def _bury(post: _Post) -> None:
    assert post.process is not None
    for stream in (post.process.stdin, post.process.stdout):
        if stream is not None:
            stream.close()
    post.process, post.ready = None, False


def _take_back(leases: Leases, owner: str, code: int) -> bool:
    """Take back what a dead worker held, with its end as the cause; False when the store cannot be used."""
    how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    cause = {"code": "worker_died", "message": f"The worker that had this shard ended {how}."}
    return _unless_unreachable(lambda: leases.lost(owner, cause))


def _unless_unreachable(do: Callable[[], object]) -> bool:
    """Whether it could be done; False when the store cannot be used now, or the disk.

    Whatever else goes wrong is a fault of ours, and no reason to send the workers home.
    """
    try:
        do()
    except StoreError:
        return False
    except Exception:
        log.exception("a chore of the supervisor failed")
        return False
    return True
