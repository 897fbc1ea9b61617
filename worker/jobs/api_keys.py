"""API keys `ts_<id>_<secret>`: of the secret only its sha256 is kept, and it is shown once.

The secret is 256 bits of chance, so that a plain hash is as good as a slow one: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update

from evidence.errors import KeyRefused, UsageError
from worker.jobs.engine import reading, translated, writing
from worker.jobs.schema import api_keys
from worker.jobs.store import JobStore

SCOPES = ("read", "write", "sign", "admin")
_FORM = re.compile(r"ts_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# When a key was used last is written down at most so often.
_USE_SECONDS = 60.0
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept; `scopes` are some of `SCOPES`, times are seconds since the epoch."""

    id: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    created: float
    expires: float | None = None
    revoked: float | None = None
    last_used: float | None = None


class ApiKeys:
    """The keys in the database of a job store."""

    def __init__(self, store: JobStore) -> None:
        self.engine, self.clock = store.engine, store.clock

    def add(
        self, tenant: str, name: str, scopes: Sequence[str], *, days: float | None = None
    ) -> tuple[ApiKey, str]:
        """A new key, and the text of it that nobody can read again. Raises UsageError."""
        _check(tenant, name, scopes)
        key, secret, now = secrets.token_hex(6), secrets.token_urlsafe(32), self.clock()
        expires = None if days is None else now + days * 86_400
        kept = ApiKey(key, tenant, name, tuple(s for s in SCOPES if s in scopes), now, expires)
        row = {
            "id": key,
            "tenant": tenant,
            "name": name,
            "scopes": " ".join(kept.scopes),
            "secret_sha256": _hash(secret),
            "created": now,
            "expires": expires,
        }
        with translated(), writing(self.engine) as connection:
            connection.execute(insert(api_keys).values(row))
        return kept, f"ts_{key}_{secret}"

    def check(self, text: str) -> ApiKey:
        """The key that `text` is; raises KeyRefused, in the same words whatever is wrong with it."""
        form = _FORM.fullmatch(text)
        key, secret = form.groups() if form else ("", "")
        now = self.clock()
        with translated(), reading(self.engine) as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.id == key)).first()
        # An unknown key costs the same comparison as a known one.
        right = hmac.compare_digest(_hash(secret), row.secret_sha256 if row else _NOBODY)
        if row is None or not right or row.revoked is not None or (row.expires or now + 1) <= now:
            raise KeyRefused("This API key is not valid.", "Check it, or ask for a new one.")
        if row.last_used is None or row.last_used < now - _USE_SECONDS:
            with translated(), writing(self.engine) as connection:
                connection.execute(update(api_keys).where(api_keys.c.id == key).values(last_used=now))
        return _to_key(row)

    def any(self) -> bool:
        """Whether a key was ever made: from then on none gets in without one."""
        with translated(), reading(self.engine) as connection:
            return connection.execute(select(api_keys.c.id).limit(1)).first() is not None

    def find(self, tenant: str | None = None) -> list[ApiKey]:
        """The keys, oldest first, revoked ones among them."""
        wanted = select(api_keys).order_by(api_keys.c.created, api_keys.c.id)
        if tenant is not None:
            wanted = wanted.where(api_keys.c.tenant == tenant)
        with translated(), reading(self.engine) as connection:
            return [_to_key(row) for row in connection.execute(wanted)]

    def revoke(self, key: str) -> None:
        """Make a key void at once; raises UsageError when there is none. Twice is as good as once."""
        with translated(), writing(self.engine) as connection:
            if connection.execute(select(api_keys.c.id).where(api_keys.c.id == key)).first() is None:
                raise UsageError(f"There is no key {key!r}.", "`touchstone keys list` shows them.")
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key, api_keys.c.revoked.is_(None))
                .values(revoked=self.clock())
            )


def _check(tenant: str, name: str, scopes: Sequence[str]) -> None:
    if not _TENANT.fullmatch(tenant):
        raise UsageError(
            f"{tenant!r} cannot be a tenant.",
            "Use 1 to 64 small letters, digits, - and _, with a letter or digit first.",
        )
    if len(name) > 128:
        raise UsageError(f"The key's name has {len(name)} letters; 128 are allowed.", "Shorten it.")
    foreign = [scope for scope in scopes if scope not in SCOPES]
    if foreign or not scopes:
        raise UsageError(
            f"The scopes {', '.join(scopes) or '(none)'} are not all known.",
            f"Choose from {', '.join(SCOPES)}.",
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        last_used=row.last_used,
    )
