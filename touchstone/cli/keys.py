"""`touchstone keys`: who may use the API, and for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.jobs.api_keys import ApiKeys

group = typer.Typer(no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    app.add_typer(group, name="keys", help="Make, list and revoke the keys of the API.")


@group.command()
def add(
    tenant: Annotated[str, typer.Argument(help="Whose jobs the key opens; a new name is a new tenant.")],
    name: Annotated[str, typer.Option(help="What it is for, to tell keys apart.")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, write, sign or admin; once for each. Default: read and write."),
    ] = None,
    days: Annotated[float | None, typer.Option(min=0, help="Void after so many days.")] = None,
) -> None:
    """Make a key and print it, once: only its hash is kept. From the first key on, none gets in without.

    Example: `touchstone keys add newsroom --name "upload form" --days 90`
    """
    with _keys() as keys:
        _, text = keys.add(tenant, name, scope or ["read", "write"], days=days)
    print(text)


@group.command("list")
def list_keys() -> None:
    """The keys, without their secrets. Example: `touchstone keys list`"""
    with _keys() as keys:
        for key in keys.find():
            state = "revoked" if key.revoked else "void" if _over(key.expires) else "valid"
            used = _day(key.last_used) if key.last_used else "never"
            print(
                f"{key.id}  {state:<8} {key.tenant:<16} {','.join(key.scopes):<17} "
                f"made {_day(key.created)}  used {used}  {key.name}".rstrip()
            )


@group.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its id, the twelve letters behind ts_.")],
) -> None:
    """Make a key void at once. Example: `touchstone keys revoke 0123456789ab`"""
    with _keys() as keys:
        keys.revoke(key)
    print(f"{key} is void.")


@contextmanager
def _keys() -> Iterator[ApiKeys]:
    from worker.jobs.api_keys import ApiKeys
    from worker.jobs.store import JobStore
    from worker.settings import load_settings

    store = JobStore(load_settings().store_url)
    try:
        yield ApiKeys(store)
    finally:
        store.close()


def _over(expires: float | None) -> bool:
    return expires is not None and expires <= datetime.now(UTC).timestamp()


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
