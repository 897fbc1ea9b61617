"""Sessions that run exported models: the only home of ONNX Runtime.

A session is made from bytes whose sum was checked, on the provider that was asked for or, with the
reason said, on the next one: TensorRT, CUDA, CPU. One session serves many threads (`run` is
thread-safe and releases the GIL). Threads follow the CPUs this process may use, since ONNX Runtime
itself counts those of the host; they do not spin while waiting, since decoding wants the same cores.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as native

from detector.scores import FAMILIES, Scores
from evidence.errors import ModelError
from exports.graph import read_graph, refuse_unsafe
from exports.registry import Kind, ModelEntry
from exports.third_party import DTYPES, ForeignInterface

Device = Literal["auto", "cpu", "cuda", "tensorrt"]

STRIDE = 8  # pixels of a tile for each cell of the detector's map
BATCH_PIXELS = {"cpu": 8 * 256 * 256, "cuda": 64 * 256 * 256, "tensorrt": 64 * 256 * 256}
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")

_PROVIDERS = {
    "tensorrt": ("TensorrtExecutionProvider", {}),
    # TF32 would spend the parity gate's 1e-4; the arena grows by what is asked, not by doubling.
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}),
    "cpu": ("CPUExecutionProvider", {}),
}
_ERRORS: tuple[type[Exception], ...] = (
    *(item for item in vars(native).values() if isinstance(item, type) and issubclass(item, Exception)),
    RuntimeError,
    ValueError,
)


class Detector(Protocol):
    """What a scan asks of a detector, ours or a third party's."""

    entry: ModelEntry
    provider: str
    fallback_reason: str

    def run(self, tiles: NDArray[np.uint8]) -> Scores:
        """Tiles uint8 (B, h, w, 3) -> raw answers, high = fake."""


def family_names(entry: ModelEntry) -> tuple[str, ...]:
    """The generator families that a detector tells apart, in the order of its logits; () if it does not."""
    for output in entry.outputs:
        if output["name"] == FAMILIES:
            return tuple(output.get("names", ()))
    return ()


def available_providers() -> tuple[str, ...]:
    """Which of tensorrt, cuda and cpu this build of ONNX Runtime has, the fastest first."""
    built_in = set(ort.get_available_providers())
    return tuple(name for name, (provider, _) in _PROVIDERS.items() if provider in built_in)


def default_threads() -> int:
    """The CPUs this process may use: its affinity mask, bounded by the quota of its control group."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CGROUP_QUOTA.read_text().split()[:2]
        allowed = min(allowed, -(-int(quota) // int(period)))  # rounded up
    except (OSError, ValueError):
        pass  # no control group, or "max": no quota
    return max(1, allowed)


def open_detector(entry: ModelEntry, device: Device = "auto", threads: int | None = None) -> Detector:
    """A session for any detector, ours or a third party's."""
    make = DetectorSession if entry.foreign is None else ThirdPartyDetector
    return make(entry, device, threads)


class Session:
    """A model loaded on a provider; `fallback_reason` is empty when it is the one asked for."""

    def __init__(
        self, entry: ModelEntry, device: Device = "auto", threads: int | None = None, *, kind: Kind
    ) -> None:
        if entry.kind != kind:
            raise ModelError(f"Model {entry.label} is a {entry.kind}.", f"Name a {kind} here.")
        data = entry.read()
        refuse_unsafe(read_graph(data), entry.label)
        self.entry = entry
        self.threads = threads or default_threads()
        self._session, self.provider, self.fallback_reason = _open(data, entry.label, device, self.threads)
        self.inputs = {item.name: item for item in self._session.get_inputs()}
        self.outputs = {item.name: item for item in self._session.get_outputs()}

    def call(
        self, feeds: dict[str, NDArray[Any]], outputs: Sequence[str] | None = None
    ) -> list[NDArray[Any]]:
        """Run the graph once; raises `ModelError` when the runtime refuses or an answer is not finite."""
        with _translated(self.entry.label):
            answers: list[NDArray[Any]] = self._session.run(outputs, feeds)
        if not all(answer.dtype.kind in "fiub" and np.isfinite(answer).all() for answer in answers):
            raise ModelError(
                f"Model {self.entry.label} answered with something else than finite numbers.",
                "Check the model with `touchstone models verify`, or use another one.",
            )
        return answers

    def batch_of(self, height: int, width: int) -> int:
        """How many pictures of this size one call takes, so that memory stays bounded."""
        return max(1, BATCH_PIXELS[self.provider] // (height * width))


class DetectorSession(Session):
    """One of our detectors: pixels uint8 in; logit, map and, from some, families out."""

    def __init__(self, entry: ModelEntry, device: Device = "auto", threads: int | None = None) -> None:
        super().__init__(entry, device, threads, kind="detector")
        if set(self.inputs) != {"pixels"} or not {"logit", "map"} <= set(self.outputs):
            raise ModelError(
                f"Model {entry.label} takes {sorted(self.inputs)} and gives {sorted(self.outputs)}; our "
                "detectors take `pixels` and give `logit` and `map`.",
                "For a third-party detector put a TOML beside the file; see docs/add-a-detector.md.",
            )

    def run(self, tiles: NDArray[np.uint8]) -> Scores:
        """Tiles uint8 (B, h, w, 3) RGB -> raw answers, float32, high = fake.

        Sides are multiples of 8, 64 at least. Any B; the runtime sees it in batches.
        """
        _check_tiles(tiles)
        count, height, width, _ = tiles.shape
        logits = np.empty(count, np.float32)
        maps = np.empty((count, height // STRIDE, width // STRIDE), np.float32)
        names = [name for name in ("logit", "map", FAMILIES) if name in self.outputs]
        families = np.empty((count, self.outputs[FAMILIES].shape[1]), np.float32) if names[2:] else None
        for part in _parts(count, self.batch_of(height, width)):
            logits[part], maps[part], *made = self.call({"pixels": tiles[part]}, names)
            if families is not None:
                families[part] = made[0]
        return Scores(logits, maps, families)


class ThirdPartyDetector(Session):
    """Somebody else's detector behind the same `run`; its map says of each cell what it says of the tile."""

    def __init__(self, entry: ModelEntry, device: Device = "auto", threads: int | None = None) -> None:
        super().__init__(entry, device, threads, kind="detector")
        self._interface = entry.foreign or ForeignInterface()
        self._input = self._interface.input or next(iter(self.inputs))
        self._output = self._interface.output or next(iter(self.outputs))
        if self._input not in self.inputs or self._output not in self.outputs:
            raise ModelError(
                f"Model {entry.label} takes {sorted(self.inputs)} and gives {sorted(self.outputs)}; its TOML "
                f"names {self._input!r} and {self._output!r}.",
                "Correct `name` in the [input] and [output] tables.",
            )
        asked = self.inputs[self._input]
        if len(self.inputs) != 1:
            raise ModelError(
                f"Model {entry.label} ({entry.path}) takes {sorted(self.inputs)}; a picture is all there is.",
                "Export it with one input, the others as constants.",
            )
        self._interface.check(f"{entry.label} ({entry.path})", asked.shape, asked.type)
        self._kind = DTYPES[asked.type]
        fixed = asked.shape[0]
        self._fixed_batch = fixed if isinstance(fixed, int) else None

    def run(self, tiles: NDArray[np.uint8]) -> Scores:
        """As `DetectorSession.run`; a graph with a fixed batch gets its last one filled up."""
        _check_tiles(tiles)
        count, height, width, _ = tiles.shape
        logits = np.empty(count, np.float32)
        batch = self._fixed_batch or self.batch_of(height, width)
        for part in _parts(count, batch):
            fed = self._interface.prepare(tiles[part]).astype(self._kind, copy=False)
            missing = batch - len(fed) if self._fixed_batch else 0
            filled = np.concatenate([fed, np.repeat(fed[-1:], missing, axis=0)])
            answer = self.call({self._input: filled}, (self._output,))[0]
            logits[part] = self._interface.logits(answer, len(filled))[: len(fed)]
        cells = (count, height // STRIDE, width // STRIDE)
        return Scores(logits, np.broadcast_to(logits[:, None, None], cells).copy())


class GeneratorSession(Session):
    """A generator: named arrays in, pictures float32 (B, C, H, W) in [-1, 1] out."""

    def __init__(self, entry: ModelEntry, device: Device = "auto", threads: int | None = None) -> None:
        super().__init__(entry, device, threads, kind="generator")

    def run(self, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """The pictures of one call; inputs by the graph's names, all of them."""
        return np.clip(self.call(dict(inputs))[0].astype(np.float32, copy=False), -1.0, 1.0)


def _open(data: bytes, label: str, device: Device, threads: int) -> tuple[Any, str, str]:
    """A session, the provider it truly runs on, and why it is not the one asked for."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # what matters comes back as an exception
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    reasons: list[str] = []
    for name in _candidates(device):
        provider, provider_options = _PROVIDERS[name]
        if name not in available_providers():
            reasons.append(f"{name} is not in this build of ONNX Runtime")
            continue
        if name != "cpu":
            ort.preload_dlls()
        with _translated(label):
            session = ort.InferenceSession(data, options, providers=[(provider, provider_options)])
        session.disable_fallback()
        if session.get_providers()[0] == provider:
            return session, name, "; ".join(reasons)
        reasons.append(f"{name} could not be started on this machine")
    raise ModelError(f"Model {label} runs on no provider: {'; '.join(reasons)}.", "Reinstall onnxruntime.")


def _candidates(device: Device) -> tuple[str, ...]:
    """The providers to try, in order. "auto" asks for no more than what is there."""
    if device == "auto":  # TensorRT builds engines for minutes, so it is never chosen unasked
        return tuple(name for name in ("cuda", "cpu") if name in available_providers())
    names = tuple(_PROVIDERS)
    return names[names.index(device) :]


def _check_tiles(tiles: NDArray[np.uint8]) -> None:
    if tiles.dtype != np.uint8 or tiles.ndim != 4 or tiles.shape[3] != 3:
        raise ModelError(
            f"A detector was given {tiles.dtype} of shape {tiles.shape}; it takes uint8 (B, h, w, 3).",
            "Cut tiles with detector.tiles.",
        )
    if tiles.shape[1] % STRIDE or tiles.shape[2] % STRIDE or min(tiles.shape[1:3]) < STRIDE:
        raise ModelError(
            f"A tile is {tiles.shape[1]} x {tiles.shape[2]} pixels; sides must be multiples of {STRIDE}.",
            "Cut tiles with detector.tiles.",
        )


def _parts(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


@contextmanager
def _translated(label: str) -> Iterator[None]:
    """Every complaint of ONNX Runtime as a `ModelError` that names the model."""
    try:
        yield
    except _ERRORS as error:
        said = " ".join(str(error).split())
        raise ModelError(
            f"ONNX Runtime cannot run model {label}: {said[:300]}.",
            "Check it with `touchstone models verify`; if its sum is right, update onnxruntime.",
        ) from error
