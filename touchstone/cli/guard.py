"""The last line of defence of every command: an error becomes one clear line and an exit code.

0 done, 1 some items failed, 2 wrong usage, 3 nothing could be done, 10 a fake was found (`--fail-on
fake`), 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import FrameType

from evidence.errors import SettingsError, TouchstoneError, UsageError

DONE, SOME_FAILED, WRONG_USAGE, NOTHING_DONE, FAKE_FOUND, INTERRUPTED = 0, 1, 2, 3, 10, 130


class Interrupted(Exception):
    """Raised instead of KeyboardInterrupt once a command has put its results in order.

    `advice` says how to go on.
    """

    def __init__(self, advice: str = "") -> None:
        super().__init__(advice)
        self.advice = advice


def guarded(command: Callable[[], object]) -> int:
    """Run a command and return its exit code, whatever happens in it."""
    try:
        command()
        return DONE
    except SystemExit as end:  # how typer ends, with 2 when it could not make sense of the arguments
        return end.code if isinstance(end.code, int) else DONE
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    except Interrupted as stop:
        return _say(f"Interrupted. {stop.advice}", INTERRUPTED)
    except (UsageError, SettingsError) as error:
        return _say(f"{error.code}: {error}", WRONG_USAGE)
    except TouchstoneError as error:
        return _say(f"{error.code}: {error}", NOTHING_DONE)
    except BrokenPipeError:
        return NOTHING_DONE
    except MemoryError:
        return _say(
            "memory: The machine has no memory left. Take fewer files at once, or smaller ones.",
            NOTHING_DONE,
        )
    except Exception as error:  # the last resort: a person gets a line to report, not a traceback
        return _say(_unexpected(error), NOTHING_DONE)


@contextlib.contextmanager
def patient_interrupts() -> Iterator[None]:
    """The first Ctrl-C raises KeyboardInterrupt, the second ends the process at once and silently.

    Between the two a command closes its files; decode children end with their parent.
    """
    pressed = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h")  # a progress bar may have hidden the cursor
            os._exit(INTERRUPTED)
        pressed = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _say(text: str, code: int) -> int:
    """Print one line on standard error; a closed one is no reason to fail."""
    with contextlib.suppress(OSError):
        print(f"touchstone: {text.strip()}", file=sys.stderr, flush=True)
    return code


def _unexpected(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    said = " ".join(str(error).split())[:200]
    if os.environ.get("TOUCHSTONE_DEBUG"):
        traceback.print_exception(error)
    return (
        f"internal: {type(error).__name__} in {os.path.basename(last.filename)}:{last.lineno}: {said}. "
        "This is a fault of Touchstone: please report this line as CONTRIBUTING.md says. "
        "TOUCHSTONE_DEBUG=1 shows more."
    )
