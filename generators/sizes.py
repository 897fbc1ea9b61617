"""Which sides of a picture a system can be built for, said before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evidence.errors import UsageError
from generators.options import as_set


@dataclass(frozen=True)
class Sides:
    """Sides from `least` that are multiples of `step`, or powers of two.

    `doublings` names the field of the config that says how often the side doubles: a number, or widths of
    which the first `undoubled` stand before any doubling. It takes the place of `step`.
    """

    least: int = 4
    step: int = 1
    power: bool = False
    doublings: str = ""
    undoubled: int = 0

    def check(self, name: str, config: Any) -> None:
        """Raise UsageError when `config.image_size` is no such side."""
        size, step = getattr(config, "image_size", self.least), self._step(config)
        if size >= self.least and size % step == 0 and not (self.power and size & (size - 1)):
            return
        allowed = "a power of two" if self.power else f"a multiple of {step}" if step > 1 else "a number"
        also = f" with {self.doublings}={as_set(getattr(config, self.doublings))}" if self.doublings else ""
        raise UsageError(
            f"{name} cannot be built for image_size={size}{also}.", f"Take {allowed}, from {self.least}."
        )

    def _step(self, config: Any) -> int:
        if not self.doublings:
            return self.step
        said = getattr(config, self.doublings)
        return 1 << (said if isinstance(said, int) else len(said) - self.undoubled)


ANY = Sides()
