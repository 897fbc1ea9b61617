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
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select, update

from evidence.errors import StoreError, UsageError
from worker.addresses import post
from worker.jobs.engine import translated, writing
from worker.jobs.schema import deliveries, webhooks
from worker.jobs.store import JobStore

log = logging.getLogger("touchstone.webhooks")

# After the first try, and each one behind it; then the message is dead until it is asked for again.
PAUSES_SECONDS = (5.0, 30.0, 120.0, 900.0, 3_600.0, 21_600.0, 86_400.0)
# A message that is being sent is nobody else's for so long.
SENDING_SECONDS = 60.0
LOOK_SECONDS = 0.5
_GONE = 410


@dataclass(frozen=True)
class _Owed:
    """One message, and where it goes."""

    id: str
    webhook: str
    url: str
    body: bytes
    attempts: int
    secrets: tuple[str, ...]


class Courier(threading.Thread):
    """Sends messages one after the other; `private` allows addresses that are not of the public internet."""

    def __init__(self, store: JobStore, *, private: bool = False) -> None:
        super().__init__(name="courier", daemon=True)
        self._store, self._private = store, private
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End after the message that is being sent."""
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                sent = self.deliver()
            except StoreError as error:
                log.warning("%s", error)
                sent = False
            if not sent:
                self._stopping.wait(LOOK_SECONDS)

    def deliver(self) -> bool:
        """Send the message that is due first; False when there is none."""
        owed = self._claim()
        if owed is None:
            return False
        status, error = None, ""
        headers = signed(owed.id, int(self._store.clock()), owed.body, owed.secrets)
        try:
            status = post(owed.url, owed.body, headers, private=self._private)
        except (UsageError, OSError) as failure:
            error = str(failure) or type(failure).__name__
        self._write_down(owed, status, error)
        return True

    def _claim(self) -> _Owed | None:
        now = self._store.clock()
        wanted = (
            select(deliveries, webhooks.c.url, webhooks.c.secret, webhooks.c.old_secret, webhooks.c.old_until)
            .join(webhooks, webhooks.c.id == deliveries.c.webhook)
            .where(deliveries.c.state == "pending", deliveries.c.due <= now, webhooks.c.disabled == "")
            .order_by(deliveries.c.due)
            .limit(1)
            .with_for_update(skip_locked=True, of=deliveries)
        )
        with translated(), writing(self._store.engine) as connection:
            row = connection.execute(wanted).first()
            if row is None:
                return None
            held = {"due": now + SENDING_SECONDS, "attempts": row.attempts + 1}
            connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(held))
        return _Owed(
            row.id, row.webhook, row.url, row.body.encode(), row.attempts + 1, _live_secrets(row, now)
        )

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
            connection.execute(update(deliveries).where(deliveries.c.id == owed.id).values(found))
            if status == _GONE:
                gone = "The receiver answered 410 Gone."
                connection.execute(
                    update(webhooks).where(webhooks.c.id == owed.webhook).values(disabled=gone)
                )


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


def _signature(secret: str, text: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def _live_secrets(row: Row[Any], now: float) -> tuple[str, ...]:
    old = (row.old_secret,) if row.old_secret and (row.old_until or 0.0) > now else ()
    return (row.secret, *old)
