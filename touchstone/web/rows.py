"""A row of a list: what the tables of scans and of a batch's items show of one medium."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evidence.verdict import Reason

_WORDS = {"fake": "Fake", "real": "Real", "uncertain": "Uncertain"}


@dataclass(frozen=True)
class Row:
    """One scan or item: its name, where it stands, and its verdict in short; `kind` names its colour."""

    id: str
    name: str
    state: str
    created: str | float | None
    status: str | None
    verdict: str | None
    fake_probability: float | None
    interval: tuple[float, float] | None
    reason: Reason | None
    threshold: None = None  # lists do not carry it; the gauge then shows none

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Row:
        """The row of what the API lists: a summary, or a resource with its whole report."""
        said = {**(item.get("report") or {}), **{name: value for name, value in item.items() if value}}
        reason = item.get("error") or said.get("reason")
        return cls(
            id=str(item["position"] if "position" in item else item["id"]),
            name=str(item.get("name") or item.get("client_ref") or ""),
            state=str(item.get("state") or "done"),
            created=item.get("created"),
            status=said.get("status"),
            verdict=said.get("verdict"),
            fake_probability=said.get("fake_probability"),
            interval=said.get("interval"),
            reason=Reason(reason["code"], reason["message"]) if reason else None,
        )

    @property
    def kind(self) -> str:
        """The verdict, or none: the name of its colour and its sign."""
        return self.verdict if self.verdict in _WORDS else "none"

    @property
    def remark(self) -> str:
        """Why there is no clear verdict: the first sentence of the reason."""
        said = self.reason.message if self.reason else ""
        return f"{said.partition('. ')[0].rstrip('.')}." if said else ""

    @property
    def over(self) -> bool:
        """Whether there is an answer, be it that there is no verdict."""
        return self.status is not None

    @property
    def word(self) -> str:
        """The verdict in a word."""
        return _WORDS.get(self.verdict or "", "No verdict")
