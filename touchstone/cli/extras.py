"""What the shop floor lacks: says which extra a command needs when it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from evidence.errors import TouchstoneError

_TRAIN = ("torch", "torchvision", "onnx", "onnxscript", "matplotlib", "torch_fidelity")


@contextmanager
def train_extra(command: str) -> Iterator[None]:
    """Import torch and its kin inside; a missing one becomes an error that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in _TRAIN:
            raise
        raise TouchstoneError(
            f"`touchstone {command}` needs {missing}, which is not installed.",
            "Install the training tools: pip install 'touchstone[train]'",
        ) from None
