"""What the stack runs besides Touchstone: secrets are made, Redis asks for its password, health is told."""

from __future__ import annotations

import contextlib
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from worker.jobs.model import NewJob
from worker.jobs.store import JobStore

ROOT = Path(__file__).resolve().parents[2]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
PATH = "/usr/local/bin:/usr/bin:/bin"


def test_the_secrets_are_made_once_and_fit_each_other(tmp_path: Path) -> None:
    command = ["sh", str(ROOT / "ops/secrets.sh")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "secrets"
    made = {path.name: path.read_text(encoding="utf-8").strip() for path in folder.iterdir()}

    # The key of Prometheus is made by the running service.
    assert set(made) == set(STACK["secrets"]) - {"metrics_key"}
    assert f":{made['postgres_password']}@postgres:5432/" in made["database_url"]
    assert f":{made['redis_password']}@redis:6379/" in made["broker_url"]
    assert len(set(made.values())) == len(made)
    assert all(len(made[name]) == 48 for name in made if name.endswith("password"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (tmp_path / ".env").read_text(encoding="utf-8") == "STACK_SECRETS=./secrets\n"

    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    assert made == {path.name: path.read_text(encoding="utf-8").strip() for path in folder.iterdir()}
    assert (tmp_path / ".env").read_text(encoding="utf-8") == "STACK_SECRETS=./secrets\n"


@pytest.fixture
def guarded_redis(tmp_path: Path) -> Iterator[str]:
    """Redis as the stack starts it, on a socket in its folder."""
    (tmp_path / "password").write_text("hush\n", encoding="utf-8")
    script, *arguments = STACK["services"]["redis"]["command"][1:]
    arguments[arguments.index("/data")] = str(tmp_path)
    socket = tmp_path / "redis.sock"
    running = subprocess.Popen(
        ["sh", str(ROOT / script.removeprefix("/")), *arguments, "--port", "0", "--unixsocket", str(socket)],
        env={
            "PATH": PATH,
            "REDIS_PASSWORD_FILE": str(tmp_path / "password"),
            "TMPDIR": str(tmp_path),
        },
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 20
    while not socket.exists() and time.monotonic() < until and running.poll() is None:
        time.sleep(0.05)
    yield str(socket)
    running.terminate()
    running.wait(20)


def test_redis_asks_for_the_password_of_the_file_and_keeps_what_it_is_told(
    guarded_redis: str, tmp_path: Path
) -> None:
    with redis.Redis(unix_socket_path=guarded_redis) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis(unix_socket_path=guarded_redis, password="hush") as client:
        assert client.set("kept", "yes")
    assert list(tmp_path.glob("appendonlydir/*.aof"))
    commands = _command_lines()
    assert [line for line in commands if guarded_redis in line], "its own command line is among them"
    assert [line for line in commands if "requirepass" in line] == []


@pytest.mark.parametrize("content", [None, ""])
def test_redis_does_not_start_without_a_password(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "password").write_text(content, encoding="utf-8")
    run = subprocess.run(
        ["sh", str(ROOT / "ops/redis.sh")],
        env={
            "PATH": PATH,
            "REDIS_PASSWORD_FILE": str(tmp_path / "password"),
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert str(tmp_path / "password") in run.stderr


def test_the_health_check_says_whether_the_store_answers(tmp_path: Path) -> None:
    def check(url: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TOUCHSTONE_DATABASE_URL": url}
        command = [sys.executable, str(ROOT / "ops/healthy.py"), "store"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    assert check(f"sqlite:///{tmp_path / 'jobs.db'}").returncode == 0
    refused = check(f"sqlite:///{tmp_path / 'nowhere' / 'jobs.db'}")
    assert refused.returncode == 1
    assert refused.stderr.startswith("store_unavailable: ")


def test_the_backup_of_the_docs_holds_what_was_accepted_a_moment_ago(tmp_path: Path) -> None:
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    program = re.search(r"^\$ python -c '(.+)'$", page, re.MULTILINE)
    assert program is not None
    store = JobStore(f"sqlite:///{tmp_path / 'jobs.db'}")
    job, _ = store.submit(NewJob(kind="scan", request={}, shards=({"n": 1},)))

    subprocess.run([sys.executable, "-c", program[1]], cwd=tmp_path, check=True)

    store.close()
    restored = JobStore(f"sqlite:///{tmp_path / 'backup.db'}")
    assert restored.get(job.id).remaining == 1
    restored.close()


def _command_lines() -> list[str]:
    """What every process of this machine was started with, as anybody may read it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_text(encoding="utf-8", errors="replace"))
    return found
