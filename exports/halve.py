"""Weights in half precision: a file of half the size that computes as before.

Only what is stored changes. A `Cast` behind each weight gives the graph its fp32 numbers back, and ONNX
Runtime folds it when the model is loaded, so speed and memory stay those of the full file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from evidence.files import write_whole

SMALLEST = 256  # numbers; a smaller weight saves less than its `Cast` costs
LARGEST = float(np.finfo(np.float16).max)


def halve(source: Path, target: Path) -> None:
    """Write the model of `source` to `target` with its weights in fp16; raises `OutputError`.

    A weight beyond the range of fp16 stays as it is.
    """
    model = onnx.load(source)
    graph, casts = model.graph, []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < SMALLEST or np.abs(values).max() > LARGEST:
            continue
        stored = f"{weight.name}.half"
        casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *rest])
    onnx.checker.check_model(model, full_check=True)
    write_whole(target, model.SerializeToString())
