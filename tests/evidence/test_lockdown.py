"""A locked-down process can compute and nothing else."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys

import pytest

PROBE = """
import json, os, resource, socket, subprocess, sys, threading
from evidence.lockdown import lock_down

level = lock_down(2 << 30, 600)

def tried(act):
    try:
        act()
    except (OSError, ValueError, MemoryError) as refusal:
        return type(refusal).__name__
    return "allowed"

def start_thread():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()

print(json.dumps({
    "level": level,
    "open": tried(lambda: open("/etc/hostname")),
    "write": tried(lambda: open("/tmp/touchstone-must-not-exist", "w")),
    "unlink": tried(lambda: os.unlink("/tmp/touchstone-must-not-exist")),
    "socket": tried(lambda: socket.socket(socket.AF_INET)),
    "unix socket": tried(lambda: socket.socketpair()),
    "fork": tried(os.fork),
    "exec": tried(lambda: os.execv("/bin/true", ["true"])),
    "spawn": tried(lambda: subprocess.run(["true"])),
    "signal": tried(lambda: os.kill(os.getppid(), 0)),
    "raise limits": tried(lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))),
    "3 GB": tried(lambda: bytearray(3 << 30)),
    "1 MB": tried(lambda: bytearray(1 << 20)),
    "thread": tried(start_thread),
}), flush=True)
os.abort()
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="the filter is written for Linux on x86-64 and AArch64",
)


def test_files_sockets_processes_signals_and_memory_are_refused() -> None:
    probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)

    found = json.loads(probe.stdout)

    assert found.pop("level") == "seccomp+rlimits"
    # Python refuses to raise a hard limit before the kernel is asked; memory is its own kind.
    expected = {"raise limits": "ValueError", "3 GB": "MemoryError", "1 MB": "allowed", "thread": "allowed"}
    assert found == {name: expected.get(name, "PermissionError") for name in found}
    # abort() still ends the process: its signal to itself passes the filter.
    assert probe.returncode == -signal.SIGABRT
