"""The transparency log as a service or a command uses it: the entries of a job store, and the key that signs.

Who asks for a head or a proof has what waits taken into the tree first, so an entry can be proved from the
moment its verdict is handed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from evidence.verdict import Report
from provenance.transparency.audit import Finding, audit
from provenance.transparency.canonical import canonical
from provenance.transparency.entries import report_sha256, scanned
from provenance.transparency.errors import LogError
from provenance.transparency.keyring import Keyring
from provenance.transparency.notes import Head, PublicKey, peek
from provenance.transparency.proofs import Proof, document, with_proof
from provenance.transparency.tiles import Tree
from worker.jobs.ledger import Ledger
from worker.settings import Settings


class Logbook:
    """The log of an engine's database, signed with the key of the settings."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.ledger = Ledger(engine)
        self.keyring = Keyring(settings.log_folder, settings.log_key)

    def head(self) -> str:
        """The signed head of the log as it is now. Raises LogError, StoreError."""
        self.ledger.integrate()
        return self._sign()

    def key(self, name: str = "") -> PublicKey:
        """The key to check this log with; made now, under `name`, if there is none. Raises LogError."""
        key = self.keyring.secret(name).public
        if name and key.name != name:
            raise LogError(f"This log is called {key.name}.", "Its name cannot change: heads carry it.")
        return self._ours(key)

    def prove(self, position: int) -> dict[str, Any]:
        """The entry at a position with its proof. Raises UsageError where there is none."""
        return self._proved(self.head(), [position])[0]

    def proofs(self, sha256: str, *, tenant: str | None = None) -> list[dict[str, Any]]:
        """The entries about a medium or a report with their proofs, newest first; or those of a tenant."""
        note = self.head()
        return self._proved(note, [position for position, _ in self.ledger.find(sha256, tenant=tenant)])

    def proved(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """A report that carries its proof. Raises LogError for one that this log does not hold."""
        found = self.proofs(report_sha256(report))
        if not found:
            raise LogError(
                "This report is not in the log.",
                "Those of the service and of `touchstone scan --log` are, as they were written.",
            )
        return with_proof(report, found[0])

    def add(self, report: Report, at: float) -> Report:
        """Take a report into the log; the report with its proof. One of no medium stays as it is."""
        said = report.to_dict()
        if not said["media"].get("sha256"):
            return report
        self.ledger.append([canonical(scanned(said, at))])
        return Report.from_dict(self.proved(said))

    def carrying(self, report: Report) -> Report:
        """A report with its proof if this log holds it, else as it is."""
        found = self.proofs(report_sha256(report.to_dict()))
        return Report.from_dict(with_proof(report.to_dict(), found[0])) if found else report

    def consistency(self, first: int) -> tuple[str, list[bytes]]:
        """The head, and the proof that what it tells of begins with the first `first` entries."""
        note = self.head()
        return note, Tree(self.ledger.tile, peek(note).size).consistency(first)

    def verify(self, key: PublicKey, heads: Sequence[Head] = ()) -> Iterator[Finding]:
        """What is wrong with the log, also by the head that was signed last here."""
        self.ledger.integrate()
        last = self.keyring.last()
        known = [*([] if last is None else [Head.signed(last, key)]), *heads]
        yield from audit(self.ledger, self.ledger.size(), known)
        for position in self.ledger.misfiled():
            yield Finding("entry_misfiled", f"Entry {position} is filed under another medium or report.")

    def _proved(self, note: str, positions: Sequence[int]) -> list[dict[str, Any]]:
        tree = Tree(self.ledger.tile, peek(note).size)
        found = []
        for position in positions:
            path = tree.inclusion(position)
            entry = next((entry for at, entry in self.ledger.entries(position, 1) if at == position), None)
            if entry is None:
                raise LogError(
                    f"Entry {position} is missing from the log.", "`touchstone log verify` says more."
                )
            found.append(document(entry, Proof(position, path, note)))
        return found

    def _sign(self) -> str:
        self._ours(self.keyring.secret().public)
        return self.keyring.sign(self.ledger.tree())

    def _ours(self, key: PublicKey) -> PublicKey:
        """The key, if this log is signed with it."""
        claimed = self.ledger.claim(str(key))
        if claimed != str(key):
            raise LogError(
                f"This log is signed by {PublicKey.read(claimed).name}, the key here is of {key.name}.",
                "Name its key's file in TOUCHSTONE_LOG_KEY.",
            )
        return key
