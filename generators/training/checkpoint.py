"""What a run needs to go on to the bit: its state, written atomically, and the configuration it had."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from evidence.errors import ConfigMismatch, OutputError, TrainingError, UsageError
from generators.contract import AdversarialModel

CONFIG = "config.json"
CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
RECORD = "record.json"
FORMAT = 1  # of the checkpoint; a file of a later one is not read

_SETTLED = {"system", "config", "optimisation"}


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


def begin(
    folder: Path, settled: dict[str, Any], *, resume: bool, defaults: Mapping[str, Any] | None = None
) -> bool:
    """Open the run folder; True when a checkpoint is there to go on from.

    A field that came after the folder's run began has the value of `defaults` there.
    Raises ConfigMismatch when the folder's run began with another configuration, OutputError when it
    holds a run and `resume` is False.
    """
    held = folder / CONFIG
    if held.is_file():
        if not resume:
            raise OutputError(
                f"The folder {folder} already holds a run.", "Add --resume to go on, or choose another --out."
            )
        differing = differences(_filled(_read(held), defaults or {}), settled)
        if differing:
            raise ConfigMismatch(
                f"The run in {folder} began with another configuration: {'; '.join(differing)}.",
                "Resume with the same one, or start anew in another --out.",
            )
        return (folder / CHECKPOINT).is_file()
    write_text(held, json.dumps(settled, indent=2) + "\n")
    return False


def require_run(folder: Path) -> None:
    """Raise UsageError where no run has begun in `folder`, for one who asked to go on with it."""
    if not (folder / CONFIG).is_file():
        found = "it has no config.json" if folder.is_dir() else "there is no such folder"
        raise UsageError(
            f"There is no run in {folder} to go on with: {found}.",
            "Name the --out of the run, or leave --resume out to begin one.",
        )


def read_settled(folder: Path) -> dict[str, Any]:
    """What `config.json` of a system's run says; raises UsageError without one, TrainingError for another."""
    path = folder / CONFIG
    found = _read(path)
    if not found.keys() >= _SETTLED:
        raise TrainingError(
            f"{path} says of no system how it was configured.", "Name the --out of `touchstone train SYSTEM`."
        )
    return found


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """The fields in which two configurations differ, as "path: before -> now"."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted(before.keys() | now.keys())
        nested = (differences(before.get(key), now.get(key), f"{path}.{key}".strip(".")) for key in keys)
        return [line for lines in nested for line in lines]
    return [] if before == now else [f"{path}: {before!r} -> {now!r}"]


def _filled(before: Any, defaults: Any) -> Any:
    """`before` with the fields of `defaults` that it lacks, at every depth."""
    if not isinstance(before, dict) or not isinstance(defaults, Mapping):
        return before
    return {**defaults, **{key: _filled(value, defaults.get(key)) for key, value in before.items()}}


def save(folder: Path, state: dict[str, Any], name: str = CHECKPOINT) -> None:
    """Write the checkpoint so that a kill at any moment leaves the old one or the new one whole."""
    target = folder / name
    partial = target.with_suffix(".partial")
    try:
        with partial.open("wb") as stream:
            torch.save(state | {"format": FORMAT}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, target)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        # What the disk said stands behind a fault that torch's writer then finds in its own file.
        disk = error if isinstance(error, OSError) else error.__context__
        said = disk.strerror if isinstance(disk, OSError) else said_by(error)
        raise OutputError(
            f"The checkpoint {target} cannot be written: {said}.",
            f"Free some space, then go on with --resume. {kept(folder)}",
        ) from error


def load(folder: Path, name: str = CHECKPOINT) -> dict[str, Any]:
    """The state `save` wrote, on the CPU; raises TrainingError for any other file."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about the pickle in a file that is none of ours
            state = torch.load(folder / name, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(f"{folder} holds no checkpoint.", "Name the folder of a training run.") from error
    except Exception as error:  # on a foreign file torch's reader fails in any way there is
        raise TrainingError(
            f"The checkpoint in {folder} cannot be read: {said_by(error)}.",
            "It is cut short or no checkpoint: start the run anew in another folder.",
        ) from error
    if not isinstance(state, dict) or "model" not in state:
        raise TrainingError(
            f"{folder / CHECKPOINT} is a file of torch, but no checkpoint of a training run.",
            "Put the right one back, or start the run anew in another folder.",
        )
    if state.get("format", FORMAT) != FORMAT:
        raise TrainingError(
            f"The checkpoint in {folder} has format {state['format']}; this version reads {FORMAT}.",
            "Use the version of Touchstone that wrote it.",
        )
    return state


def kept(folder: Path) -> str:
    """Whether there is a state to go on from, as a sentence."""
    if (folder / CHECKPOINT).is_file():
        return f"{folder / CHECKPOINT} holds the last good state."
    return f"No checkpoint had been written to {folder} yet."


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Within the block, where a state is put into a model, whatever does not fit is a TrainingError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise TrainingError(
            f"The checkpoint in {folder} does not fit its config.json: {said_by(error)}.",
            "It is of another system, another configuration or another version of Touchstone: put the right "
            "one back, or start the run anew in another folder.",
        ) from error


def require_system(folder: Path, state: dict[str, Any], system: str) -> None:
    """Raise TrainingError when `state` is that of another system, whose weights may fit by chance."""
    if state.get("system", system) != system:
        raise TrainingError(
            f"The checkpoint in {folder} is of {state['system']}, its config.json of {system}.",
            "Put the right one back, or start the run anew in another folder.",
        )


def write_text(path: Path, text: str) -> None:
    """Write a small file atomically, creating its folder."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically, creating its folder; raises OutputError when that fails."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # two processes may write one file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.", "Free some space, or choose another --out."
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
    except OSError as error:
        raise UsageError(
            f"{path.parent} is no run folder: {error.strerror}.", "Name the --out of a run."
        ) from error
    except ValueError as error:
        raise TrainingError(
            f"{path} cannot be read as JSON: {error}.",
            "Put it back, or start the run anew in another folder.",
        ) from error
    return found


def said_by(error: Exception) -> str:
    """The first line of what a library said, without its full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, RuntimeError) and len(lines) > 1 and "loading state_dict" in lines[0]:
        return lines[1][:200].rstrip(".")
    said = lines[0][:200].rstrip(".:") if lines else type(error).__name__
    return f"it has no {said}" if isinstance(error, KeyError) else said
