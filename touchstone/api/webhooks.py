"""Webhooks: addresses that are told when a job ends, signed as Standard Webhooks, and told again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from touchstone.api.access import Reading, Writing
from touchstone.api.pages import Limit
from touchstone.api.schemas import Deleted, Line, Taken, moment
from touchstone.api.service import Desk
from worker.addresses import check, refuse_own
from worker.jobs import hooks

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


class NewWebhook(Taken):
    """Where to tell: an http or https address that the whole world may reach."""

    url: Annotated[Line, Field(min_length=1, max_length=2048)]


class Webhook(BaseModel):
    """An address that is told; `disabled` says why it is not any more, and is empty while it is."""

    id: str
    url: str
    created: datetime
    disabled: str


class Secret(BaseModel):
    """The secret of a webhook, shown once: who has it can tell our messages from others'."""

    id: str
    secret: str


class MadeWebhook(Webhook):
    """A webhook with its secret."""

    secret: str


class Webhooks(BaseModel):
    """Every webhook of the tenant."""

    items: list[Webhook]


class Delivery(BaseModel):
    """One message to one address: pending, delivered or dead, how often it was tried, what came back."""

    id: str
    job: str
    kind: str
    state: str
    attempts: int
    status: int | None
    error: str
    created: datetime
    due: datetime
    delivered: datetime | None


class Deliveries(BaseModel):
    """The last messages to an address, newest first."""

    items: list[Delivery]


@router.post("", status_code=201)
def create_webhook(desk: Writing, new: NewWebhook) -> MadeWebhook:
    """Have an address told from now on. The secret is shown this once."""
    _, host, _ = check(new.url)
    if not desk.service.settings.webhook_private:
        refuse_own(host)
    made, secret = _hooks(desk).add(desk.tenant, new.url)
    return MadeWebhook(**_seen(made).model_dump(), secret=secret)


@router.get("")
def list_webhooks(desk: Reading) -> Webhooks:
    """The tenant's webhooks."""
    return Webhooks(items=[_seen(one) for one in _hooks(desk).find(desk.tenant)])


@router.get("/{webhook}")
def get_webhook(desk: Reading, webhook: str) -> Webhook:
    """One webhook."""
    return _seen(_hooks(desk).get(desk.tenant, webhook))


@router.delete("/{webhook}")
def delete_webhook(desk: Writing, webhook: str) -> Deleted:
    """Tell an address no more."""
    _hooks(desk).remove(desk.tenant, webhook)
    return Deleted(id=webhook)


@router.post("/{webhook}/rotate")
def rotate_webhook(desk: Writing, webhook: str) -> Secret:
    """A new secret; the old one signs beside it for a while, so that nothing is lost in between."""
    return Secret(id=webhook, secret=_hooks(desk).rotate(desk.tenant, webhook))


@router.get("/{webhook}/deliveries")
def list_deliveries(desk: Reading, webhook: str, limit: Limit = 50) -> Deliveries:
    """What was told to an address, and what it answered."""
    found = _hooks(desk).deliveries(desk.tenant, webhook, limit=limit)
    return Deliveries(items=[_told(one) for one in found])


@router.post("/{webhook}/deliveries/{delivery}/redeliver", status_code=202)
def redeliver(desk: Writing, webhook: str, delivery: str) -> Deliveries:
    """Tell it again; the last deliveries with this one among them."""
    _hooks(desk).redeliver(desk.tenant, webhook, delivery)
    return list_deliveries(desk, webhook)


def _hooks(desk: Desk) -> hooks.Webhooks:
    return hooks.Webhooks(desk.store)


def _seen(one: hooks.Webhook) -> Webhook:
    return Webhook(id=one.id, url=one.url, created=moment(one.created), disabled=one.disabled)


def _told(one: hooks.Delivery) -> Delivery:
    return Delivery(
        id=one.id,
        job=one.job,
        kind=one.kind,
        state=one.state,
        attempts=one.attempts,
        status=one.status,
        error=one.error,
        created=moment(one.created),
        due=moment(one.due),
        delivered=None if one.delivered is None else moment(one.delivered),
    )
