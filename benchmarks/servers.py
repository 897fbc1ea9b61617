"""A Redis and a PostgreSQL of one's own in a folder, which may be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import OperationalError

READY_SECONDS = 60.0
# Debian keeps PostgreSQL's programs out of the path.
_PROGRAMS = os.pathsep.join(
    [os.environ.get("PATH", ""), *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
)


class Redis:
    """A Redis on a socket in `folder` that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self._folder = folder
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address for Celery."""
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        """Run, and answer."""
        self.socket.unlink(missing_ok=True)
        command = [_program("redis-server", "redis"), "--port", "0", "--unixsocket", str(self.socket)]
        self._running = subprocess.Popen(
            [*command, "--save", "", "--dir", str(self._folder)], stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + READY_SECONDS
        while not self.socket.exists():
            assert time.monotonic() < end, "Redis does not start"
            time.sleep(0.02)

    def flush(self) -> None:
        """Forget everything."""
        command = [_program("redis-cli", "redis"), "-s", str(self.socket), "FLUSHALL"]
        subprocess.run(command, check=True, capture_output=True)

    def kill(self) -> None:
        """SIGKILL."""
        if self._running is not None:
            self._running.kill()
            self._running.wait(20)
            self._running = None


class Postgres:
    """A PostgreSQL on a socket in `folder`; its user owns the folder, since it refuses to run as root."""

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        self._folder, self._fsync = folder, fsync
        self._running: subprocess.Popen[bytes] | None = None
        shutil.chown(folder, *_owner())
        command = [_program("initdb", "postgresql"), "-D", str(folder / "data"), "-A", "trust"]
        subprocess.run(
            [*_as_owner(), *command, "-U", "touchstone", "-N"], check=True, capture_output=True, cwd=folder
        )

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"postgresql+psycopg://touchstone@/postgres?host={self._folder}"

    def start(self) -> None:
        """Run, and answer."""
        folder = str(self._folder)
        command = [_program("postgres", "postgresql"), "-D", f"{folder}/data", "-k", folder]
        command += ["-c", "listen_addresses=", "-c", f"fsync={'on' if self._fsync else 'off'}"]
        with (self._folder / "log").open("ab") as log:
            self._running = subprocess.Popen([*_as_owner(), *command], stdout=log, stderr=log, cwd=folder)
        engine = sqlalchemy.create_engine(self.url)
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                engine.connect().close()
                engine.dispose()
                return
            except OperationalError:
                assert time.monotonic() < end, "PostgreSQL does not start"
                time.sleep(0.1)

    def crash(self) -> None:
        """End at once, as in a crash: every connection breaks, and the next start recovers."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """Its fast shutdown."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._running is not None:
            self._running.send_signal(how)
            self._running.wait(60)
            self._running = None


@contextmanager
def postgres(*, fsync: bool = True) -> Iterator[Postgres]:
    """A running PostgreSQL in a folder of its own, which goes with it."""
    with tempfile.TemporaryDirectory(prefix="touchstone-pg-") as folder:
        made = Postgres(Path(folder), fsync=fsync)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def _program(name: str, package: str) -> str:
    found = shutil.which(name, path=_PROGRAMS)
    assert found, f"{name} is not installed: apt-get install {package}"
    return found


def _owner() -> tuple[str, str]:
    """Debian's package makes a user for PostgreSQL."""
    return ("postgres", "postgres") if os.geteuid() == 0 else (str(os.geteuid()), str(os.getegid()))


def _as_owner() -> list[str]:
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
