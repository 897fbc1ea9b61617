"""The key of a log, made at first use and readable by its owner alone, and the last head that it signed.

A log may never sign two heads that do not continue each other. So the last one is kept beside the key, away
from the log's database: one that was set back, or edited, is not signed for.
"""

from __future__ import annotations

from pathlib import Path

from evidence.files import locked, write_secret, write_whole
from provenance.transparency.errors import LogError
from provenance.transparency.merkle import extends
from provenance.transparency.notes import Head, PublicKey, SecretKey
from provenance.transparency.tiles import Tree

_FORKED = "The log was set back or edited since"
_ADVICE = (
    "Nothing is signed for it any more. Put the database back as it was; or begin a new log, with a fresh "
    "database and without this key."
)


class Keyring:
    """The key in `folder`, or in a file of its own, and the last head beside it."""

    def __init__(self, folder: Path, file: Path | None = None) -> None:
        self._folder, self._file, self._head = folder, file or folder / "key", folder / "head"
        self._is_ours = file is None

    def public(self) -> PublicKey | None:
        """The key to check with, or None while there is none. Raises LogError."""
        return self._read().public if self._file.is_file() or not self._is_ours else None

    def secret(self, name: str = "") -> SecretKey:
        """The key to sign with, made now if there is none, under `name`. Raises LogError."""
        try:
            if self._is_ours and not self._file.is_file():
                self._make(name)
        except OSError as error:
            raise LogError(
                f"The key of the log cannot be made in {self._file.parent}: {error.strerror or error}.",
                "Set TOUCHSTONE_DATA_DIR to a folder that can be written.",
            ) from None
        return self._read()

    def last(self) -> str | None:
        """The head that was signed last, as a note; None if none was. Raises LogError."""
        try:
            return self._head.read_text("utf-8") if self._head.is_file() else None
        except (OSError, ValueError) as error:
            raise LogError(f"The last head {self._head} cannot be read: {error}.", "See who may.") from None

    def sign(self, tree: Tree) -> str:
        """The signed head of a tree that continues the one signed last. Raises LogError when it does not."""
        key = self.secret()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self._folder):
            last = self.last()
            before = None if last is None else Head.signed(last, key.public)
            head = Head(key.name, tree.size, tree.root())
            if last is not None and before is not None:
                _continues(before, tree, head)
                if before == head:
                    return last
            note = key.sign(head.text())
            write_whole(self._head, note.encode())
            return note

    def _make(self, name: str) -> None:
        """A key, unless another process made one just now."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self._folder):
            if not self._file.is_file():
                write_secret(self._file, SecretKey.make(name).text().encode())

    def _read(self) -> SecretKey:
        try:
            return SecretKey.read(self._file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise LogError(
                f"The key of the log in {self._file} cannot be read: {error}.", "See who may."
            ) from None


def _continues(before: Head, tree: Tree, head: Head) -> None:
    """Raise LogError unless a tree begins with the one of a head before."""
    if before.size > tree.size:
        raise LogError(f"{_FORKED}: it had {before.size} entries, it has {tree.size}.", _ADVICE)
    path = tree.consistency(before.size)
    if not extends(before.size, tree.size, path, before.root, head.root):
        raise LogError(f"{_FORKED} it had {before.size} entries: their root is another.", _ADVICE)
