"""Sends what is owed to webhooks: signed as Standard Webhooks asks, again and again until it is taken.

https://www.standardwebhooks.com: `webhook-signature` is HMAC-SHA256 over "id.timestamp.body". Bodies are
thin, a job's id and state: what a scan found is read with an API key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, case, or_, select, update

from evidence.errors import StoreError, UsageError
from worker.addresses import post
from worker.jobs.engine import reading, translated, writing
from worker.jobs.schema import deliveries, webhooks
from worker.jobs.store import JobStore

log = logging.getLogger("touchstone.webhooks")

# After the first try, and each one behind it; then the message is dead until it is asked for again.
PAUSES_SECONDS = (5.0, 30.0, 120.0, 900.0, 3_600.0, 21_600.0, 86_400.0)
# A message that is being sent is nobody else's for so long.
SENDING_SECONDS = 60.0
LOOK_SECONDS = 0.5
SENDERS = 4
_GONE = 410
_SECRETS = (webhooks.c.secret, webhooks.c.old_secret, webhooks.c.old_until)


@dataclass(frozen=True)
class _Owed:
    """One message, and where it goes."""

    id: str
    webhook: str
    url: str
    body: bytes
    attempts: int
    secrets: tuple[str, ...]


class Courier:
    """Sends messages, a few at once; `private` allows addresses that are not of the public internet.

    No webhook gets two at a time and each has its turn, so that a receiver that never answers keeps
    nobody waiting but itself.
    """

    def __init__(self, store: JobStore, *, private: bool = False) -> None:
        self._store, self._private = store, private
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._sending: set[str] = set()
        self._served: dict[str, int] = {}  # the webhook, and in which turn it was served last
        self._turn = 0
        self._senders = [
            threading.Thread(target=self._run, name=f"courier-{number}", daemon=True)
            for number in range(SENDERS)
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for sender in self._senders:
            sender.start()

    def stop(self) -> None:
        """End after the messages that are being sent."""
        self._stopping.set()

    def join(self, seconds: float | None = None) -> None:
        """Wait for the end, `seconds` at most."""
        until = None if seconds is None else time.monotonic() + seconds
        for sender in self._senders:
            sender.join(None if until is None else max(0.0, until - time.monotonic()))

    def deliver(self) -> bool:
        """Send the message that is due first; False when there is none that may be sent now."""
        with self._lock:  # one looks, the others wait for their look
            owed = self._claim()
            if owed is None:
                return False
            self._sending.add(owed.webhook)
            self._turn += 1
            self._served[owed.webhook] = self._turn
        try:
            self._write_down(owed, *self._send(owed))
        finally:
            with self._lock:
                self._sending.remove(owed.webhook)
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                sent = self.deliver()
            except StoreError as error:
                log.warning("%s", error)
                sent = False
            if not sent:
                self._stopping.wait(LOOK_SECONDS)

    def _send(self, owed: _Owed) -> tuple[int | None, str]:
        """The status that came back, or none and why."""
        headers = signed(owed.id, int(self._store.clock()), owed.body, owed.secrets)
        try:
            return post(owed.url, owed.body, headers, private=self._private), ""
        except (UsageError, OSError) as failure:
            return None, str(failure) or type(failure).__name__
        except Exception as failure:  # whatever it is, it must cost this message alone
            log.exception("the message %s could not be sent", owed.id)
            return None, f"A fault of ours: {type(failure).__name__}."

    def _claim(self) -> _Owed | None:
        now = self._store.clock()
        due = (deliveries.c.state == "pending") & _due_by(now) & (webhooks.c.disabled == "")
        waiting = (
            select(webhooks.c.id)
            .join(deliveries, deliveries.c.webhook == webhooks.c.id)
            .where(due)
            .distinct()
        )
        with translated(), reading(self._store.engine) as connection:
            found = set(connection.execute(waiting).scalars())
        self._served = {webhook: self._served.get(webhook, 0) for webhook in found}
        for webhook in sorted(found - self._sending, key=self._served.__getitem__):
            first = (
                select(deliveries, webhooks.c.url, *_SECRETS)
                .join(webhooks, webhooks.c.id == deliveries.c.webhook)
                .where(due, webhooks.c.id == webhook)
                .order_by(deliveries.c.due)
                .limit(1)
                .with_for_update(skip_locked=True, of=deliveries)
            )
            with translated(), writing(self._store.engine) as connection:
                row = connection.execute(first).first()
                if row is None:  # another process has it
                    continue
                held = {"due": now + SENDING_SECONDS, "attempts": row.attempts + 1}
                connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(held))
            body, attempts = row.body.encode(), row.attempts + 1
            return _Owed(row.id, row.webhook, row.url, body, attempts, _live_secrets(row, now))
        return None

    def _write_down(self, owed: _Owed, status: int | None, error: str) -> None:
        now = self._store.clock()
        taken = status is not None and 200 <= status < 300
        found: dict[str, Any] = {"status": status, "error": error[:256]}
        if taken:
            found |= {"state": "delivered", "delivered": now}
        elif owed.attempts > len(PAUSES_SECONDS) or status == _GONE:
            found |= {"state": "dead"}
        else:
            found |= {"due": now + PAUSES_SECONDS[owed.attempts - 1]}
        with translated(), writing(self._store.engine) as connection:
            if status == _GONE:  # the webhook first, as whoever deletes it: neither waits for the other
                gone = "The receiver answered 410 Gone."
                connection.execute(
                    update(webhooks).where(webhooks.c.id == owed.webhook).values(disabled=gone)
                )
            connection.execute(update(deliveries).where(deliveries.c.id == owed.id).values(found))


def signed(message: str, timestamp: int, body: bytes, secrets: tuple[str, ...]) -> dict[str, str]:
    """The headers of a message, with one signature for each secret that is live."""
    text = f"{message}.{timestamp}.".encode() + body
    signatures = [_signature(secret, text) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "touchstone",
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _due_by(now: float) -> ColumnElement[bool]:
    """Whether a message's time has come: also when it lies further ahead than one of its attempts ever waits.

    Then the clock was set back since, or another machine's is ahead.
    """
    waits = {tried: max(pause, SENDING_SECONDS) for tried, pause in enumerate(PAUSES_SECONDS, 1)}
    longest = case(waits | {0: 0.0}, value=deliveries.c.attempts, else_=SENDING_SECONDS)
    return or_(deliveries.c.due <= now, deliveries.c.due > now + longest)


def _signature(secret: str, text: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def _live_secrets(row: Row[Any], now: float) -> tuple[str, ...]:
    old = (row.old_secret,) if row.old_secret and (row.old_until or 0.0) > now else ()
    return (row.secret, *old)
