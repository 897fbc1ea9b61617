"""Judges are trained once: whoever asks for the same one on the same data later gets it from its file."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from generators.training.checkpoint import write_bytes

Net = TypeVar("Net", bound=nn.Module)


def load_or_train(
    folder: Path, key: object, *, shaped: Callable[[], Net], trained: Callable[[], Net], prefix: str = ""
) -> Net:
    """The net kept in `folder` under the digest of `key`, put into `shaped()`; else `trained()`, then kept.

    A file that cannot be read is replaced. Two runs may end at once: both write the same.
    """
    path = folder / f"{prefix}{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.pt"
    net = shaped()
    try:
        net.load_state_dict(torch.load(path, weights_only=True))
    except Exception:  # absent or cut short, on which torch's reader fails in any way there is
        written = io.BytesIO()
        torch.save(trained().state_dict(), written)
        write_bytes(path, written.getvalue())
        net.load_state_dict(torch.load(path, weights_only=True))
    return net.requires_grad_(False).eval()
