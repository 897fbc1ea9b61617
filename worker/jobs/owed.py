"""What is owed to webhooks: written down in the transaction that ends a job, or not at all.

So no end is forgotten, and none is told of that was not kept.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from worker.jobs.schema import deliveries, jobs, webhooks


def owe_in(connection: Connection, job: str, state: str, now: float) -> None:
    """Owe the webhook of an ended job, if it named one of its tenant's, a message; within a transaction."""
    row = connection.execute(
        select(jobs.c.tenant, jobs.c.kind, jobs.c.client_ref, jobs.c.request).where(jobs.c.id == job)
    ).one()
    webhook = json.loads(row.request).get("webhook", "")
    if not webhook:
        return
    own = select(webhooks.c.id).where(webhooks.c.id == webhook, webhooks.c.tenant == row.tenant)
    if connection.execute(own).first() is None:
        return  # deleted meanwhile
    kind = f"{row.kind}.{state}"
    body = {
        "type": kind,
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(),
        "data": {"id": job, "state": state, "client_ref": row.client_ref},
    }
    connection.execute(
        insert(deliveries).values(
            id=f"msg_{uuid.uuid4().hex}",
            webhook=webhook,
            job=job,
            kind=kind,
            body=json.dumps(body, separators=(",", ":")),
            state="pending",
            attempts=0,
            error="",
            created=now,
            due=now,
        )
    )
