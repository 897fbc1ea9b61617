"""What an ONNX file asks of its runtime, read from the bytes without the onnx package.

A model file is code: an operator of a custom domain is somebody's library, external data is a path
that the runtime would follow. Both are refused before a session is made. The reader walks the
protobuf wire format (field numbers of onnx.proto, IR version 10) and copies no weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from evidence.errors import ModelError

STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
DEEPEST = 32  # nested subgraphs

# Field numbers of onnx.proto that hold what we look for.
_MODEL_DOC, _MODEL_GRAPH, _MODEL_OPSET, _MODEL_METADATA, _MODEL_FUNCTION = 6, 7, 8, 14, 25
_FUNCTION_NAME, _FUNCTION_NODE, _FUNCTION_DOMAIN = 1, 7, 10
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14


@dataclass
class GraphFacts:
    """Operators by (domain, name), the opset of the standard domain, and the file's own words."""

    operators: set[tuple[str, str]] = field(default_factory=set)
    functions: set[tuple[str, str]] = field(default_factory=set)
    opset: int = 0
    external_data: bool = False
    doc: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


def read_graph(data: bytes) -> GraphFacts:
    """The facts of an ONNX model's bytes; raises `ModelError` when they are no protobuf of a model."""
    facts, found_graph = GraphFacts(), False
    try:
        for number, value in _fields(memoryview(data)):
            if number == _MODEL_GRAPH:
                found_graph = True
                _read_graph(_bytes(value), facts, 0)
            elif number == _MODEL_FUNCTION:
                _read_function(_bytes(value), facts)
            elif number == _MODEL_OPSET:
                domain, version = _pair(value)
                if domain in (b"", b"ai.onnx"):
                    facts.opset = int.from_bytes(version, "big")
            elif number == _MODEL_METADATA:
                key, text = _pair(value)
                facts.metadata[key.decode()] = text.decode()
            elif number == _MODEL_DOC:
                facts.doc = _text(value)
    except (ValueError, IndexError) as error:
        raise ModelError(f"This is no ONNX model: {error}.", "Export it again, or fetch it again.") from error
    if not found_graph:
        raise ModelError("This is no ONNX model: it holds no graph.", "Export it again, or fetch it again.")
    return facts


def refuse_unsafe(facts: GraphFacts, label: str) -> None:
    """Raise `ModelError` unless the graph keeps to standard operators and to its own file."""
    if facts.external_data:
        raise ModelError(
            f"Model {label} keeps weights in other files; a model must be one file.",
            "Export it again with external_data=False.",
        )
    foreign = {
        f"{domain}::{operator}"
        for domain, operator in facts.operators - facts.functions
        if domain not in STANDARD_DOMAINS
    }
    if foreign:
        raise ModelError(
            f"Model {label} uses operators outside the ONNX standard: {', '.join(sorted(foreign))}.",
            "Export it again without custom operators or runtime-specific fusions.",
        )


def _read_graph(data: memoryview, facts: GraphFacts, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"its graphs are nested deeper than {DEEPEST}")
    for number, value in _fields(data):
        if number == _GRAPH_NODE:
            _read_node(_bytes(value), facts, depth)
        elif number == _GRAPH_TENSOR:
            _read_tensor(_bytes(value), facts)
        elif number == _GRAPH_SPARSE:
            _read_sparse(_bytes(value), facts)


def _read_function(data: memoryview, facts: GraphFacts) -> None:
    name = domain = ""
    for number, value in _fields(data):
        if number == _FUNCTION_NODE:
            _read_node(_bytes(value), facts, 0)
        elif number == _FUNCTION_NAME:
            name = _text(value)
        elif number == _FUNCTION_DOMAIN:
            domain = _text(value)
    facts.functions.add((domain, name))


def _read_node(data: memoryview, facts: GraphFacts, depth: int) -> None:
    operator = domain = ""
    for number, value in _fields(data):
        if number == _NODE_OPERATOR:
            operator = _text(value)
        elif number == _NODE_DOMAIN:
            domain = _text(value)
        elif number == _NODE_ATTRIBUTE:
            for kind, inner in _fields(_bytes(value)):
                if kind in _ATTRIBUTE_GRAPHS:
                    _read_graph(_bytes(inner), facts, depth + 1)
                elif kind in _ATTRIBUTE_TENSORS:
                    _read_tensor(_bytes(inner), facts)
                elif kind in _ATTRIBUTE_SPARSE:
                    _read_sparse(_bytes(inner), facts)
    facts.operators.add((domain, operator))


def _read_tensor(data: memoryview, facts: GraphFacts) -> None:
    for number, value in _fields(data):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value != 0):
            facts.external_data = True


def _read_sparse(data: memoryview, facts: GraphFacts) -> None:
    for number, value in _fields(data):
        if number in (1, 2):  # values and indices, both tensors
            _read_tensor(_bytes(value), facts)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The (field number, value) pairs of one message: an int for a varint, else its bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if at + size > len(data):
            raise ValueError(f"a field of {size} bytes runs past its end")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number of more than 64 bits at byte {at}")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message was due")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode()


def _pair(value: int | memoryview) -> tuple[bytes, bytes]:
    """Fields 1 and 2 of a two-field message; a number as its big-endian bytes."""
    found = {1: b"", 2: b""}
    for number, part in _fields(_bytes(value)):
        found[number] = part.to_bytes(8, "big") if isinstance(part, int) else bytes(part)
    return found[1], found[2]
