"""Find the first node in which an exported graph leaves the network it came from.

torch's exporter keeps the names of its own trace, also for what it folds: the value of a convolution
with batch norm folded in carries the batch norm's name. So both sides are run with every intermediate
value kept, and values of one name are compared in the graph's order.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exports.registry import ModelEntry
from exports.runtime import Session
from exports.to_onnx import Interface, trace

Array = NDArray[Any]


def first_difference(
    net: nn.Module, interface: Interface, path: Path, feeds: dict[str, Array], tolerance: float
) -> str:
    """A sentence that names the first node whose value differs by more than `tolerance` of its largest."""
    expected = _torch_values(net, interface, feeds)
    model = onnx.load(path)
    operators = {output: node.op_type for node in model.graph.node for output in node.output}
    for name, answer in _graph_values(model, feeds, [name for name in operators if name in expected]):
        wanted = expected[name]
        bound = tolerance * max(1.0, float(np.abs(wanted).max(initial=0.0)))
        if answer.shape != wanted.shape:
            return f"The first node that differs is {operators[name]} `{name}`: its shape is {answer.shape}."
        if not np.allclose(answer, wanted, rtol=0.0, atol=bound):
            largest = float(np.abs(answer - wanted).max())
            return f"The first node that differs is {operators[name]} `{name}`, by {largest:.3g}."
    return "No node that the trace names differs: look at the outputs, or at what the runtime fuses."


@torch.no_grad()
def _torch_values(net: nn.Module, interface: Interface, feeds: dict[str, Array]) -> dict[str, Array]:
    """Every floating-point value of the network's trace, by name."""
    values: dict[str, Array] = {}

    class Recorder(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, Tensor) and value.is_floating_point():
                values[n.name] = value.numpy()
            return value

    program = trace(net, interface).exported_program
    assert program is not None  # the exporter keeps what it traced
    module = program.module()
    Recorder(module).run(*(torch.from_numpy(feeds[name]) for name in interface.inputs))
    return values


def _graph_values(
    model: onnx.ModelProto, feeds: dict[str, Array], names: list[str]
) -> list[tuple[str, Array]]:
    """The values of these names, as ONNX Runtime computes them, in the order of the graph."""
    known = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "opened.onnx"
        onnx.save(model, path)
        session = Session(ModelEntry.from_file(path), "cpu", kind="detector")
    return list(zip(names, session.call(feeds, names), strict=True)) if names else []
