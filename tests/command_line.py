"""What a command printed and how it ended, and pictures the colour detector knows: for the CLI's tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from tests.tiny_detector import picture


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Touchstone = Callable[..., Ran]


def write_picture(path: Path, lean: float, *, side: int = 128) -> Path:
    """A picture on which the colour detector's logit is about `lean`."""
    assert cv2.imwrite(str(path), picture(side, side, lean=lean)[:, :, ::-1])
    return path


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The manifest of a folder of forgeries."""
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
