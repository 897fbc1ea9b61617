"""A worker process of the embedded runner: `python -m worker.process`, told what to do on standard input.

The first line there is JSON with its name and the settings; when the stream ends, its parent is gone, and it
ends too. It says "ready" on standard output when it can work.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from types import FrameType

from evidence.errors import TouchstoneError
from worker.jobs.model import Lane
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.settings import Settings
from worker.workman import Workman

READY = b"ready\n"


def main() -> int:
    """Work until SIGTERM, or until the parent is gone."""
    told = json.loads(sys.stdin.readline())
    settings = Settings(**told["settings"])
    lanes = [Lane(number) for number in told["lanes"]]
    if hasattr(os, "nice"):
        os.nice(told["nice"])  # before there is a thread or a decode child: all of them give way
    store = JobStore(settings.store_url)
    try:
        media = MediaStore(settings.media_folder, max_bytes=settings.max_bytes)
        with Workman(store, media, settings, owner=told["owner"], lanes=lanes) as workman:

            def stop(_: int, __: FrameType | None) -> None:
                workman.stop()

            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then asks us
            threading.Thread(target=_until_alone, args=(workman,), daemon=True).start()
            workman.warm()
            sys.stdout.buffer.write(READY)
            sys.stdout.buffer.flush()
            workman.run()
    finally:
        store.close()
    return 0


def _until_alone(workman: Workman) -> None:
    sys.stdin.read()
    workman.stop()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TouchstoneError as error:
        print(f"worker: {error}", file=sys.stderr)
        sys.exit(1)
