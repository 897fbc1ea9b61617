"""Disks of a measurement's own, in a mount namespace that ends with its process: small, or to pull out.

As root, or in a user namespace where the kernel lets one have it; `Snapshots` needs root, loop devices and
mkfs.xfs (Debian's xfsprogs).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_APART = "TOUCHSTONE_APART"  # set in the process that has its own mounts
_FICLONE = 0x40049409
_SHELF_MEGABYTES = 16_384  # sparse: what snapshots differ in


def apart(module: str, arguments: Sequence[str]) -> None:
    """Go on as a process whose mounts nobody else sees; returns in that process only."""
    if os.environ.pop(_APART, None):
        return
    found = shutil.which("unshare")
    assert found, "unshare is not installed: apt-get install util-linux"
    alone = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    command = [found, *alone, sys.executable, "-m", module, *arguments]
    os.execve(found, command, {**os.environ, _APART: "1"})


@contextmanager
def small(place: Path, megabytes: int) -> Iterator[None]:
    """A disk in memory with so much room, mounted at `place`."""
    place.mkdir(exist_ok=True)
    with _mounted(place, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs"):
        yield


@contextmanager
def snapshots(folder: Path, place: Path, megabytes: int) -> Iterator[Snapshots]:
    """A disk with ext4 at `place` of which copies can be taken while it is written to; files in `folder`."""
    assert os.geteuid() == 0, "loop devices are for root alone"
    assert shutil.which("mkfs.xfs"), "mkfs.xfs is not installed: apt-get install xfsprogs"
    shelf = folder / "shelf"
    for path in (shelf, place):
        path.mkdir(exist_ok=True)
    _sparse(folder / "shelf.img", _SHELF_MEGABYTES)
    _run("mkfs.xfs", "-q", "-m", "reflink=1", str(folder / "shelf.img"))
    with _mounted(shelf, "-o", "loop", str(folder / "shelf.img")):
        disk = shelf / "disk.img"
        _sparse(disk, megabytes)
        _run("mkfs.ext4", "-q", "-F", str(disk))
        with _mounted(place, "-o", "loop", str(disk)):
            yield Snapshots(disk, shelf)


class Snapshots:
    """Copies of a disk as it is at an instant: without what the system still keeps in memory."""

    def __init__(self, disk: Path, shelf: Path) -> None:
        self._disk, self._shelf, self._taken = disk, shelf, 0

    def take(self) -> Path:
        """A copy of the whole disk, of one instant."""
        self._taken += 1
        copy = self._shelf / f"{self._taken}.img"
        with self._disk.open("rb") as source, copy.open("wb") as target:
            fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())
        return copy

    @contextmanager
    def opened(self, copy: Path, place: Path) -> Iterator[None]:
        """A copy as it comes up after the cut, at `place`; it is thrown away in the end."""
        place.mkdir(exist_ok=True)
        with _mounted(place, "-o", "loop", str(copy)):
            yield
        copy.unlink()


@contextmanager
def _mounted(place: Path, *what: str) -> Iterator[None]:
    _run("mount", *what, str(place))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(place))  # who still looks at it after an error keeps nobody here


def _sparse(path: Path, megabytes: int) -> None:
    with path.open("wb") as file:
        file.truncate(megabytes << 20)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
