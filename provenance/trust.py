"""Trust lists: whose signatures count, as files with their sha256 and the day they were taken.

We ship none: the lists of the C2PA programme are taken by `touchstone trust refresh`, others are added by
their owners. A list is PEM, certificates one after another; `lists.json` beside them says what each is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from evidence.errors import TrustError
from evidence.files import write_whole
from provenance.certificates import certificates_in

Kind = Literal["official", "user", "interim", "tsa"]
KINDS: tuple[Kind, ...] = ("official", "user", "interim", "tsa")  # in the order they are asked

OLD_DAYS = 90
MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class TrustList:
    """Certificates that somebody vouches for. `taken` is a day, "2026-11-25"; `source` where it came from.

    `kind`: "official" is the list of the C2PA programme and "interim" the one it replaced, frozen on
    2026-01-01; "tsa" lists authorities of time stamps; "user" is anybody's own.
    """

    name: str
    kind: Kind
    pem: str
    sha256: str
    taken: str
    source: str = ""

    def age_days(self, today: date | None = None) -> int:
        """How old the snapshot is."""
        return ((today or datetime.now(UTC).date()) - date.fromisoformat(self.taken)).days


@dataclass(frozen=True)
class Source:
    """A list that is published: which kind it is, and where."""

    kind: Kind
    url: str


SOURCES = {
    "c2pa": Source(
        "official",
        "https://raw.githubusercontent.com/c2pa-org/conformance-public/main/trust-list/C2PA-TRUST-LIST.pem",
    ),
    "c2pa-time-stamps": Source(
        "tsa",
        "https://raw.githubusercontent.com/c2pa-org/conformance-public/main/trust-list/C2PA-TSA-TRUST-LIST.pem",
    ),
    "interim": Source(
        "interim", "https://raw.githubusercontent.com/contentauth/verify-site/main/static/trust/allowed.pem"
    ),
    "interim-anchors": Source(
        "interim", "https://raw.githubusercontent.com/contentauth/verify-site/main/static/trust/anchors.pem"
    ),
}


def list_from(path: Path) -> TrustList:
    """A list that is trusted as it lies there, by the name of its file. Raises TrustError."""
    pem = "".join(one.pem for one in certificates_in(read_list(path), of=str(path)))
    today = datetime.now(UTC).date().isoformat()
    return TrustList(path.stem, "user", pem, hashlib.sha256(pem.encode()).hexdigest(), today, str(path))


def read_list(path: Path) -> bytes:
    """The bytes of a list, one more than may be at most. Raises TrustError."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrustError(f"{path} cannot be read: {reason}.", "Check its name and permission.") from None


class TrustStore:
    """The trust lists in a folder, and the serial numbers of certificates that are known to be revoked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lists(self) -> tuple[TrustList, ...]:
        """Every list, in the order they are asked. Raises TrustError for one that is not as it was added."""
        rows = self._rows()
        rows.sort(key=lambda row: (KINDS.index(row["kind"]), row["name"]))
        return tuple(self._read(row) for row in rows)

    def add(
        self, name: str, kind: Kind, data: bytes, *, source: str = "", taken: date | None = None
    ) -> TrustList:
        """Keep a list under a name, in the place of the one that had it. Raises TrustError for no list."""
        return self._keep([_made(name, kind, data, source, taken)])[0]

    def add_files(
        self, files: Sequence[Path], kind: Kind, *, taken: date | None = None
    ) -> tuple[TrustList, ...]:
        """Keep a list for each file, under the file's name; none at all if one is none.

        Raises TrustError, which names the file.
        """
        made: list[TrustList] = []
        for file in files:
            try:
                made.append(_made(file.stem, kind, read_list(file), str(file.resolve()), taken))
            except TrustError as error:
                raise TrustError(f"{file}: {error.message}", f"{error.advice} No list was added.") from None
            if made[-1].name in {one.name for one in made[:-1]}:
                raise TrustError(f"Two files are called {file.stem}.", "Rename one. No list was added.")
        return self._keep(made)

    def remove(self, name: str) -> None:
        """Trust a list no longer. Raises TrustError when there is none of that name."""
        rows = self._rows()
        kept = [row for row in rows if row["name"] != name]
        if len(kept) == len(rows):
            raise TrustError(
                f"There is no trust list called {name!r}.", "`touchstone trust list` names them."
            )
        self._write(kept)
        (self.folder / f"{name}.pem").unlink(missing_ok=True)

    def revoked(self) -> frozenset[str]:
        """The serial numbers, in decimal, of certificates that no longer count."""
        try:
            lines = (self.folder / "revoked.txt").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as error:
            raise TrustError(f"{self.folder / 'revoked.txt'} cannot be read: {error}.", "Mend it.") from None
        return frozenset(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))

    def revoke(self, serial: str, reason: str = "") -> None:
        """Remember that a certificate is revoked. Raises TrustError for what is no serial number."""
        number = _serial(serial)
        if number in self.revoked():
            return
        path = self.folder / "revoked.txt"
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        write_whole(path, f"{before}{number} {' '.join(reason.split())}".rstrip().encode() + b"\n")

    def warnings(self, today: date | None = None) -> tuple[str, ...]:
        """What to say of lists that are old; the interim list is frozen and does not age."""
        return tuple(
            f"The trust list {one.name} is {one.age_days(today)} days old; take it anew with "
            "`touchstone trust refresh`."
            for one in self.lists()
            if one.kind in ("official", "tsa") and one.age_days(today) > OLD_DAYS
        )

    def fingerprint(self) -> str:
        """Twelve hex digits of all that decides whether a signer is trusted."""
        text = repr(([(one.name, one.kind, one.sha256) for one in self.lists()], sorted(self.revoked())))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _keep(self, made: Sequence[TrustList]) -> tuple[TrustList, ...]:
        for one in made:
            write_whole(self.folder / f"{one.name}.pem", one.pem.encode())
        rows = [{key: value for key, value in asdict(one).items() if key != "pem"} for one in made]
        names = {one.name for one in made}
        self._write([*(row for row in self._rows() if row["name"] not in names), *rows])
        return tuple(made)

    def _read(self, row: dict[str, Any]) -> TrustList:
        path = self.folder / f"{row['name']}.pem"
        try:
            pem = path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise TrustError(f"The trust list {path} cannot be read: {error}.", _AGAIN) from None
        if hashlib.sha256(pem.encode()).hexdigest() != row["sha256"]:
            raise TrustError(f"The trust list {path} is not the one that was added.", _AGAIN)
        return TrustList(pem=pem, **row)

    def _rows(self) -> list[dict[str, Any]]:
        path = self.folder / "lists.json"
        try:
            rows = json.loads(path.read_bytes())["lists"]
            for row in rows:
                date.fromisoformat(row["taken"])
                if row.keys() != _FIELDS or row["kind"] not in KINDS or not _NAME.fullmatch(row["name"]):
                    raise ValueError(f"{row} is none of ours")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrustError(
                f"{path} cannot be read: {error}.", "Delete it and add the lists again."
            ) from None
        return list(rows)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        write_whole(self.folder / "lists.json", json.dumps({"lists": rows}, indent=1).encode())


def _made(name: str, kind: Kind, data: bytes, source: str, taken: date | None) -> TrustList:
    """A list of the certificates in `data`. Raises TrustError where there are none, or no such name."""
    if not _NAME.fullmatch(name):
        raise TrustError(f"{name!r} is no name for a list.", "Use letters, digits, dots and dashes.")
    if len(data) > MOST_BYTES:
        raise TrustError(f"The list has {len(data):,} bytes; {MOST_BYTES:,} are read.", "Split it.")
    pem = "".join(one.pem for one in certificates_in(data, of="The trust list"))
    day = taken or datetime.now(UTC).date()
    sha256 = hashlib.sha256(pem.encode()).hexdigest()
    return TrustList(name, kind, pem, sha256, day.isoformat(), source)


def _serial(text: str) -> str:
    """A serial number as decimal digits, from decimal or from hexadecimal with colons or 0x."""
    plain = text.replace(":", "").replace(" ", "").lower()
    try:
        return str(int(plain, 10 if plain.isdigit() and ":" not in text else 16))
    except ValueError:
        raise TrustError(
            f"{text!r} is no serial number.", "Give it in decimal, or in hexadecimal with colons or 0x."
        ) from None


_FIELDS = {"name", "kind", "sha256", "taken", "source"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,60}")
_AGAIN = "Add it again, or take it out with `touchstone trust remove`."
