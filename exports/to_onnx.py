"""From a torch network to one ONNX file that says what it is: weights inside, axes free, names ours.

Batch norm is folded into the convolutions before it by the exporter's own optimiser. What torch notes
beside each node (source paths, stack traces of the machine that exported) is stripped. The opset is
pinned: 18 is the first whose Resize knows antialiasing, and every ONNX Runtime since 1.14 runs it.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from detector.scores import FAMILIES
from evidence.errors import ModelError
from evidence.files import write_whole
from generators.contract import AdversarialModel

OPSET = 18
DETECTOR_STEP = 8  # the detector's map has one cell for 8 x 8 pixels
GENERATOR_STEP = 16  # the largest factor of an image-to-image generator
TRACED = (64, 96)  # height and width of the example in which a generator of any size is traced
PICTURES = ("image", "mask")  # the roles of inputs whose height and width may be free

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Identity:
    """What a model file says of itself to whoever opens it."""

    name: str
    version: str
    licence: str = "Apache-2.0"
    task: str = ""
    command: str = ""
    preprocessing: str = ""


@dataclass(frozen=True)
class Interface:
    """Example inputs by argument name, and every input's and output's shape with free axes by name.

    `steps` gives, for a free axis, what its length is a multiple of.
    """

    example: Mapping[str, Tensor]
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    steps: Mapping[str, int] = field(default_factory=dict)


def detector_interface(families: int = 0) -> Interface:
    """`pixels` uint8 (batch, height, width, 3) to `logit` (batch,) and `map` (batch, rows, columns).

    A detector that knows `families` of generators has a third output, `families` (batch, families).
    """
    outputs: dict[str, Shape] = {"logit": ("batch",), "map": ("batch", "rows", "columns")}
    if families:
        outputs[FAMILIES] = ("batch", families)
    return Interface(
        example={"pixels": torch.randint(0, 256, (2, 128, 192, 3), dtype=torch.uint8)},
        inputs={"pixels": ("batch", "height", "width", 3)},
        outputs=outputs,
        steps={"height": DETECTOR_STEP, "width": DETECTOR_STEP},
    )


def generator_interface(model: AdversarialModel, part: str = "") -> Interface:
    """A generator's own inputs, with a free batch and, where it allows, free height and width.

    Of a system that gives several graphs, that of `part`.
    """
    example, meant = model.export_inputs(2), model.inputs()
    if set(example) != set(meant) or "images" in example:
        raise ModelError(
            f"{model.name} draws {sorted(example)} and explains {sorted(meant)}.",
            "Name each input in both `export_inputs` and `inputs`, and none of them `images`: the output is.",
        )
    free = {"height", "width"} <= set(model.dynamic_axes())
    inputs: dict[str, Shape] = {}
    for name, value in example.items():
        sides: Shape = tuple(value.shape[2:])
        if free and meant[name].role in PICTURES:
            sides = ("height", "width")
            # A smoke preset is smaller than what a file takes; unequal sides cannot be taken for one.
            example[name] = nn.functional.interpolate(value, size=TRACED, mode="nearest")
        inputs[name] = ("batch", *value.shape[1:2], *sides)
    # A growing generator may have stopped below its final size, so the shape is looked at, not believed.
    frozen = copy.deepcopy(model.exported(part)).cpu().float().eval()
    with torch.no_grad():
        images: Shape = ("batch", *frozen(**example).shape[1:])
    if free:
        images = ("batch", images[1], "height", "width")
    steps = {"height": GENERATOR_STEP, "width": GENERATOR_STEP}
    return Interface(example, inputs, {"images": images}, steps)


def export_detector(net: nn.Module, path: Path, identity: Identity, families: int = 0) -> Interface:
    """Write a detector network as ONNX; returns its interface. Raises `ModelError`, `OutputError`."""
    return export(net, path, detector_interface(families), identity)


def export_generator(model: AdversarialModel, path: Path, identity: Identity, part: str = "") -> Interface:
    """Write a GAN's generator as ONNX; returns its interface. Raises `ModelError`, `OutputError`."""
    return export(model.exported(part), path, generator_interface(model, part), identity)


def export(net: nn.Module, path: Path, interface: Interface, identity: Identity) -> Interface:
    """Write any network as one ONNX file of opset `OPSET`; returns the interface it was given."""
    model = trace(net, interface).model_proto
    _strip(model)
    _name_axes(model, interface)
    words = {"name": identity.name, "version": identity.version, "licence": identity.licence}
    words |= {"task": identity.task, "command": identity.command, "preprocessing": identity.preprocessing}
    onnx.helper.set_model_props(model, {key: value for key, value in words.items() if value})
    model.doc_string = f"{identity.name} {identity.version}. {identity.task}".strip()
    model.producer_name, model.producer_version = "touchstone", identity.version
    onnx.checker.check_model(model, full_check=True)
    write_whole(path, model.SerializeToString())
    return interface


def trace(net: nn.Module, interface: Interface) -> torch.onnx.ONNXProgram:
    """The network as torch's exporter sees it, in fp32 on the CPU, ready to be written or compared."""
    frozen = copy.deepcopy(net).cpu().float().eval().requires_grad_(False)
    axes = {axis for shape in interface.inputs.values() for axis in shape if isinstance(axis, str)}
    sizes: dict[str, Any] = {axis: _dimension(axis, interface.steps.get(axis, 1)) for axis in axes}
    free = {
        name: {place: sizes[axis] for place, axis in enumerate(shape) if isinstance(axis, str)}
        for name, shape in interface.inputs.items()
    }
    try:
        with warnings.catch_warnings():
            # Several inputs share their batch, and torch regrets that it can name it only once.
            warnings.filterwarnings("ignore", message="# The axis name", category=UserWarning)
            warnings.simplefilter("ignore", FutureWarning)  # torch tells itself what it will change
            program = torch.onnx.export(
                frozen,
                (),
                kwargs=dict(interface.example),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(interface.inputs),
                output_names=list(interface.outputs),
                dynamic_shapes=free,
                optimize=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        cause = " ".join(str(error.__cause__ or error).split())
        raise ModelError(
            f"{type(net).__name__} cannot be written as ONNX: {cause[:300]}.",
            "Use operators with a free batch; docs/add-a-gan.md lists those that export.",
        ) from error
    assert program is not None  # only dynamo=False returns nothing
    return program


def _dimension(axis: str, step: int) -> Any:
    """A free length of at least 1, or a multiple of `step` of at least 64."""
    if step == 1:
        return torch.export.Dim(axis, min=1)
    return step * torch.export.Dim(f"{axis}_steps", min=-(-64 // step))


def _strip(model: onnx.ModelProto) -> None:
    """Take out what torch noted of the exporting machine, and shapes that went stale on the way."""
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")


def _name_axes(model: onnx.ModelProto, interface: Interface) -> None:
    """Give the free axes of inputs and outputs our names instead of the exporter's expressions."""
    shapes = {**interface.inputs, **interface.outputs}
    for value in (*model.graph.input, *model.graph.output):
        for axis, said in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            if isinstance(said, str):
                axis.dim_param = said
            elif axis.dim_value != said:
                raise ModelError(
                    f"The exported {value.name} has an axis of {axis.dim_value or axis.dim_param!r}, "
                    f"expected {said}.",
                    "State the true shape in the `Interface` or in the model's `export_inputs`.",
                )
