"""Webhooks of tenants: where they want to be told of the end of jobs, and what came of each message.

`owed.py` writes down what is to be sent, `worker/webhooks.py` sends it.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from evidence.errors import NoSuchWebhook
from worker.jobs.engine import reading, translated, writing
from worker.jobs.schema import deliveries, webhooks
from worker.jobs.store import JobStore

# A secret that was replaced signs along for so long, so that receivers can change over.
ROTATION_SECONDS = 86_400.0
# A message is kept so long after it was due last, whatever came of it.
KEPT_SECONDS = 30 * 86_400.0


@dataclass(frozen=True)
class Webhook:
    """Where a tenant wants to be told of the end of jobs; `disabled` says why nothing is sent any more."""

    id: str
    tenant: str
    url: str
    created: float
    disabled: str


@dataclass(frozen=True)
class Delivery:
    """A message that is owed, was delivered, or was given up: `state` is pending, delivered or dead."""

    id: str
    webhook: str
    job: str
    kind: str
    state: str
    attempts: int
    status: int | None
    error: str
    created: float
    due: float
    delivered: float | None


class Webhooks:
    """The webhooks in the database of a job store; each call is about one tenant's."""

    def __init__(self, store: JobStore) -> None:
        self.engine, self.clock = store.engine, store.clock

    def add(self, tenant: str, url: str) -> tuple[Webhook, str]:
        """A new webhook and the secret its messages are signed with, shown once."""
        made = Webhook(uuid.uuid4().hex, tenant, url, self.clock(), "")
        secret = _new_secret()
        row = {"id": made.id, "tenant": tenant, "url": url, "secret": secret, "created": made.created}
        with translated(), writing(self.engine) as connection:
            connection.execute(insert(webhooks).values(row | {"disabled": "", "old_secret": ""}))
        return made, secret

    def find(self, tenant: str) -> list[Webhook]:
        """The tenant's webhooks, oldest first."""
        wanted = select(webhooks).where(webhooks.c.tenant == tenant).order_by(webhooks.c.created)
        with translated(), reading(self.engine) as connection:
            return [_webhook(row) for row in connection.execute(wanted)]

    def get(self, tenant: str, webhook: str) -> Webhook:
        """One of the tenant's; raises NoSuchWebhook."""
        with translated(), reading(self.engine) as connection:
            return _webhook(_own(connection, tenant, webhook))

    def remove(self, tenant: str, webhook: str) -> None:
        """Delete a webhook and what is owed to it."""
        with translated(), writing(self.engine) as connection:
            _own(connection, tenant, webhook)
            connection.execute(delete(webhooks).where(webhooks.c.id == webhook))

    def rotate(self, tenant: str, webhook: str) -> str:
        """A new secret; the one before signs along for a day. Enables the webhook again."""
        secret = _new_secret()
        with translated(), writing(self.engine) as connection:
            before = _own(connection, tenant, webhook)
            values = {"secret": secret, "old_secret": before.secret, "disabled": ""}
            until = self.clock() + ROTATION_SECONDS
            changed = update(webhooks).where(webhooks.c.id == webhook)
            connection.execute(changed.values(values | {"old_until": until}))
        return secret

    def deliveries(self, tenant: str, webhook: str, *, limit: int = 50) -> list[Delivery]:
        """What was owed to a webhook, newest first."""
        wanted = select(deliveries).where(deliveries.c.webhook == webhook)
        wanted = wanted.order_by(deliveries.c.created.desc(), deliveries.c.id).limit(limit)
        with translated(), reading(self.engine) as connection:
            _own(connection, tenant, webhook)
            return [to_delivery(row) for row in connection.execute(wanted)]

    def redeliver(self, tenant: str, webhook: str, delivery: str) -> None:
        """Send a message once more, with all its attempts; raises NoSuchWebhook."""
        chosen = (deliveries.c.id == delivery) & (deliveries.c.webhook == webhook)
        fresh = {"state": "pending", "attempts": 0, "due": self.clock(), "error": ""}
        with translated(), writing(self.engine) as connection:
            _own(connection, tenant, webhook)
            if not connection.execute(update(deliveries).where(chosen).values(fresh)).rowcount:
                raise NoSuchWebhook(f"There is no delivery {delivery}.", "List those of the webhook.")

    def sweep(self) -> int:
        """Delete messages whose time is over; returns how many."""
        states = deliveries.c.state.in_(("delivered", "dead", "pending"))  # for the index
        over = states & (deliveries.c.due < self.clock() - KEPT_SECONDS)
        with translated(), writing(self.engine) as connection:
            return connection.execute(delete(deliveries).where(over)).rowcount


def to_delivery(row: Row[Any]) -> Delivery:
    """A row of `deliveries` in our words."""
    return Delivery(
        id=row.id,
        webhook=row.webhook,
        job=row.job,
        kind=row.kind,
        state=row.state,
        attempts=row.attempts,
        status=row.status,
        error=row.error,
        created=row.created,
        due=row.due,
        delivered=row.delivered,
    )


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(row.id, row.tenant, row.url, row.created, row.disabled)


def _own(connection: Connection, tenant: str, webhook: str) -> Row[Any]:
    row = connection.execute(
        select(webhooks).where(webhooks.c.id == webhook, webhooks.c.tenant == tenant)
    ).first()
    if row is None:
        raise NoSuchWebhook(f"There is no webhook {webhook}.", "List yours, or make one.")
    return row


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
