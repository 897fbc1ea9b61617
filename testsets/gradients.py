"""Gradients of an ONNX detector along the path of a scan: the only file of the test sets that needs torch.

onnx2torch turns the graph into a torch module; what a scan does around it (tiles, the strongest part, a third
party's own size and units) is repeated in torch, so that the logit is the scan's own and only its slope is
new. onnx2torch was last released in 2024 and knows operators up to opset 17, so that newer graphs are
brought down to it by onnx's own converter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import onnx2torch
import torch
from numpy.typing import NDArray
from onnx import version_converter
from onnx2torch.node_converters.registry import get_converter
from torch import Tensor
from torch.nn import functional as F

from detector.aggregate import PART_SHARE
from detector.tiles import CELL, SMALLEST, Tile, choose, plan
from evidence.errors import ModelError
from evidence.medium import Pixels
from exports.registry import ModelEntry
from exports.third_party import SMALLEST_PROBABILITY, ForeignInterface
from testsets.target import Target

_OPSET = 17


class Gradients:
    """A picture's logit and its slope for every value, high = fake. Raises ModelError where there is none.

    `instead` names the attacks that need no gradient.
    """

    def __init__(self, target: Target, instead: str) -> None:
        self._instead = f"Attack it with one of those that need none: {instead}."
        if target.entry is None:
            raise ModelError(f"Of {target.name} there is no ONNX file, hence no gradient.", self._instead)
        self._target, self._entry = target, target.entry
        self._network, self._input, self._outputs = self._opened(target.entry)

    def __call__(self, pixels: Pixels) -> tuple[float, NDArray[np.float32]]:
        """The logit of a picture (H, W, 3), and its slope (H, W, 3)."""
        tiles = choose(pixels, plan(*pixels.shape[:2]), self._target.tiles)
        values = torch.from_numpy(pixels.astype(np.float32)).requires_grad_()
        with _one_thread():
            logit = self._logit(_cut(values, tiles))
            if not logit.requires_grad:
                raise self._without("nothing in it that has a slope leads from the picture to the answer")
            (slope,) = torch.autograd.grad(logit, values)
        return float(logit.detach()), slope.numpy()

    def _logit(self, tiles: Tensor) -> Tensor:
        """As `detector.aggregate.image_logit`: the mean of the tiles and their strongest part."""
        try:
            logits, maps = self._ours(tiles) if self._entry.foreign is None else self._theirs(tiles)
        except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError, KeyError) as error:
            raise self._without(" ".join(str(error).split())[:200]) from error
        smooth = F.avg_pool2d(maps[:, None], 5, stride=1, padding=2, count_include_pad=False).flatten()
        strongest = smooth.topk(max(1, round(PART_SHARE * smooth.numel()))).values.mean()
        return torch.logaddexp(logits.mean(), strongest - self._target.calibration.part_margin)

    def _ours(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        answers = self._answers(tiles)
        return answers["logit"], answers["map"]

    def _theirs(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """As `ThirdPartyDetector.run`: its map says of each cell what it says of the tile."""
        foreign = self._entry.foreign
        assert foreign is not None
        answers = self._answers(_prepared(tiles, foreign).to(self._input))
        table = answers[foreign.output or self._outputs[0]].float().reshape(len(tiles), -1)
        logits = _read(table, foreign)
        cells = (len(tiles), tiles.shape[1] // CELL, tiles.shape[2] // CELL)
        return logits, logits[:, None, None].expand(cells)

    def _answers(self, fed: Tensor) -> dict[str, Tensor]:
        answers = self._network(fed)
        found = answers if isinstance(answers, (tuple, list)) else (answers,)
        return dict(zip(self._outputs, found, strict=True))

    def _opened(self, entry: ModelEntry) -> tuple[torch.nn.Module, torch.dtype, list[str]]:
        """The graph as a torch module, what its input holds, and the names of its outputs."""
        graph = onnx.load_from_string(entry.read())
        try:
            if _opset(graph) > _OPSET:
                graph = version_converter.convert_version(graph, _OPSET)
        except RuntimeError:
            pass  # onnx2torch says below which operator it does not know
        unknown = sorted({node.op_type for node in graph.graph.node if not _known(node, _opset(graph))})
        if unknown:
            raise self._without(f"onnx2torch does not know the operators {', '.join(unknown)} of its graph")
        try:
            network: torch.nn.Module = onnx2torch.convert(graph).eval().requires_grad_(False)
        except (RuntimeError, NotImplementedError, TypeError, ValueError, KeyError) as error:
            raise self._without(" ".join(str(error).split())[:200]) from error
        kind = graph.graph.input[0].type.tensor_type.elem_type
        half = kind == onnx.TensorProto.FLOAT16
        return network, torch.float16 if half else torch.float32, [it.name for it in graph.graph.output]

    def _without(self, why: str) -> ModelError:
        return ModelError(f"Of model {self._entry.label} there is no gradient: {why}.", self._instead)


def _known(node: Any, opset: int) -> bool:
    try:
        get_converter(node.op_type, opset, node.domain)
    except NotImplementedError:
        return False
    return True


def _opset(graph: Any) -> int:
    return max((item.version for item in graph.opset_import if item.domain in ("", "ai.onnx")), default=0)


def _cut(values: Tensor, tiles: Sequence[Tile]) -> Tensor:
    """As `detector.tiles.cut`: a side below 64 px is first reflected to 64."""
    rows, columns = (
        torch.from_numpy(np.pad(np.arange(side), (0, max(0, SMALLEST - side)), mode="symmetric"))
        for side in values.shape[:2]
    )
    grown = values[rows][:, columns] if min(values.shape[:2]) < SMALLEST else values
    return torch.stack([grown[t.y : t.y + t.height, t.x : t.x + t.width] for t in tiles])


def _prepared(tiles: Tensor, foreign: ForeignInterface) -> Tensor:
    """As `ForeignInterface.prepare`, (B, h, w, 3) -> what the graph takes; resizing comes near."""
    planes = tiles.permute(0, 3, 1, 2)
    if foreign.size is not None and planes.shape[2:] != foreign.size:
        planes = _resized(planes, foreign) if foreign.fit == "resize" else _cropped(planes, foreign.size)
    planes = planes.flip(1) if foreign.channels == "BGR" else planes
    mean, std = (torch.tensor(three)[:, None, None] for three in (foreign.mean, foreign.std))
    scaled = (planes / foreign.scale - mean) / std
    return scaled if foreign.layout == "NCHW" else scaled.permute(0, 2, 3, 1)


def _resized(planes: Tensor, foreign: ForeignInterface) -> Tensor:
    size = foreign.size
    assert size is not None
    shrinks = size[0] <= planes.shape[2] and size[1] <= planes.shape[3]
    if foreign.kernel == "nearest" or (foreign.kernel == "area" and shrinks):
        return F.interpolate(planes, size, mode="nearest" if foreign.kernel == "nearest" else "area")
    mode = "bicubic" if foreign.kernel in ("bicubic", "lanczos") else "bilinear"
    return F.interpolate(planes, size, mode=mode, antialias=foreign.kernel != "area", align_corners=False)


def _cropped(planes: Tensor, size: tuple[int, int]) -> Tensor:
    for axis, want in zip((2, 3), size, strict=True):
        have = planes.shape[axis]
        gap = max(0, want - have)
        places = np.pad(np.arange(have), (gap // 2, gap - gap // 2), mode="symmetric")
        first = (len(places) - want) // 2
        planes = planes.index_select(axis, torch.from_numpy(places[first : first + want]))
    return planes


def _read(table: Tensor, foreign: ForeignInterface) -> Tensor:
    """As `ForeignInterface.logits`: the answers (B, classes) as logits (B,), high = fake."""
    fake = table[:, foreign.index]
    if foreign.values == "probability":
        fake = torch.logit(fake, SMALLEST_PROBABILITY)
    elif foreign.values == "classes":
        others = [column for column in range(table.shape[1]) if column != foreign.index % table.shape[1]]
        fake = fake - table[:, others].logsumexp(1)
    return -fake if foreign.fake_is == "low" else fake


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order, whatever the machine has: the sign of a small slope shall not depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
