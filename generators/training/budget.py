"""When a run ends: enough images, no time left, or the wish to stop; and the randomness of each position."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import torch


@dataclass
class Budget:
    """Seconds a run may take and has taken; `spent_before` is what earlier sittings used."""

    minutes: float | None = None
    spent_before: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds spent, over every sitting."""
        return self.spent_before + time.monotonic() - self.started

    @property
    def over(self) -> bool:
        return self.minutes is not None and self.seconds >= 60 * self.minutes

    def left(self, images_seen: int, total_images: int) -> float:
        """Seconds until the run ends, by the clock or at the pace so far, whichever comes first."""
        by_pace = self.seconds * (total_images - images_seen) / max(images_seen, 1)
        by_clock = by_pace if self.minutes is None else 60 * self.minutes - self.seconds
        return max(0.0, min(by_pace, by_clock))


@dataclass
class Every:
    """Due once each `seconds`."""

    seconds: float
    last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        now = time.monotonic()
        if now - self.last < self.seconds:
            return False
        self.last = now
        return True


@dataclass
class StopWish:
    """Set by the first Ctrl-C or SIGTERM; the step under way is finished and saved."""

    wanted: bool = False


@contextmanager
def stop_on_signal() -> Iterator[StopWish]:
    """Within the block the first signal asks to stop; the second stops at once, the last checkpoint kept."""
    wish = StopWish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def ask(number: int, _: FrameType | None) -> None:
        if wish.wanted:
            raise KeyboardInterrupt
        wish.wanted = True

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def seed_at(seed: int, step: int, role: str) -> int:
    """A 63-bit seed for one use of randomness at one step: position alone decides, so a resume is exact."""
    digest = hashlib.blake2b(f"{seed}:{step}:{role}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def rng_at(seed: int, step: int, role: str, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of `seed_at`, on `device`."""
    return torch.Generator(device).manual_seed(seed_at(seed, step, role))
