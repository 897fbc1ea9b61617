"""What a run needs to go on to the bit: its state, written atomically, and the configuration it had."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from evidence.errors import ConfigMismatch, OutputError, TrainingError
from generators.contract import AdversarialModel

CONFIG = "config.json"
CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
RECORD = "record.json"


def configuration(model: AdversarialModel, *, seed: int, sha256: dict[str, str]) -> dict[str, Any]:
    """All that decides the weights but the time: what `config.json` holds and a resume must match."""
    settled = {
        "system": model.origin or model.name,
        "config": asdict(model.config),
        "optimisation": asdict(model.optimisation),
        "seed": seed,
        "data_sha256": sha256,
    }
    plain: dict[str, Any] = json.loads(json.dumps(settled))  # tuples become lists, as they are read back
    return plain


def begin(folder: Path, settled: dict[str, Any], *, resume: bool) -> bool:
    """Open the run folder; True when a checkpoint is there to go on from.

    Raises ConfigMismatch when the folder's run began with another configuration, OutputError when it
    holds a run and `resume` is False.
    """
    held = folder / CONFIG
    if held.is_file():
        if not resume:
            raise OutputError(
                f"The folder {folder} already holds a run.", "Add --resume to go on, or choose another --out."
            )
        differing = differences(json.loads(held.read_text("utf-8")), settled)
        if differing:
            raise ConfigMismatch(
                f"The run in {folder} began with another configuration: {'; '.join(differing)}.",
                "Resume with the same one, or start anew in another --out.",
            )
        return (folder / CHECKPOINT).is_file()
    write_text(held, json.dumps(settled, indent=2) + "\n")
    return False


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """The fields in which two configurations differ, as "path: before -> now"."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted(before.keys() | now.keys())
        nested = (differences(before.get(key), now.get(key), f"{path}.{key}".strip(".")) for key in keys)
        return [line for lines in nested for line in lines]
    return [] if before == now else [f"{path}: {before!r} -> {now!r}"]


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint so that a kill at any moment leaves the old one or the new one whole."""
    target = folder / CHECKPOINT
    partial = target.with_suffix(".partial")
    try:
        with partial.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"The checkpoint {target} cannot be written: {error}.", "Free some space."
        ) from error


def load(folder: Path) -> dict[str, Any]:
    """The state `save` wrote, on the CPU."""
    try:
        state: dict[str, Any] = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(f"{folder} holds no checkpoint.", "Name the folder of a training run.") from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"The checkpoint in {folder} cannot be read: {error}.", "Start the run anew in another folder."
        ) from error
    return state


def write_text(path: Path, text: str) -> None:
    """Write a small file atomically, creating its folder."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically, creating its folder; raises OutputError when that fails."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.", "Choose another --out.") from error
