""".tflite files that are well formed and harm whoever runs them."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.deploy.tflite.flatbuffer import Writer, pack, unpack

ROW = (3,)


def softmax(channels: int = 3) -> bytes:
    """A good file: [N, 3] floats -> their softmax, through one product."""
    writer = Writer("softmax")
    source = writer.tensor("source", ROW, np.float32)
    weights = writer.constant(
        "weights",
        np.eye(channels, ROW[0], dtype=np.int8) * 127,
        scales=np.full(channels, 0.01),
    )
    logits = writer.tensor("logits", (channels,), np.float32)
    end = writer.tensor("end", (channels,), np.float32)
    writer.op(
        "FULLY_CONNECTED",
        [source, weights, -1],
        [logits],
        version=9,
        options="FullyConnectedOptions",
        asymmetricQuantizeInputs=False,
    )
    writer.op("SOFTMAX", [logits], [end], options="SoftmaxOptions", beta=1.0)
    return writer.to_bytes({"source": source}, {"end": end})


def crashing() -> bytes:
    """A product without weights: optional to the schema, not to the kernel."""
    model = unpack(softmax())
    model.subgraphs[0].operators[0].inputs = [0, -1, -1]
    return pack(model)


def endless() -> bytes:
    """A WHILE whose condition is always true."""
    writer = Writer("endless")
    source = writer.tensor("source", ROW, np.float32)
    end = writer.tensor("end", ROW, np.float32)
    looped = {"condSubgraphIndex": 1, "bodySubgraphIndex": 2}
    writer.op("WHILE", [source], [end], options="WhileOptions", **looped)
    model = unpack(writer.to_bytes({"source": source}, {"end": end}))
    true = schema.BufferT()
    true.data = np.ones(1, np.uint8)
    model.buffers.append(true)
    condition, body = _passing("condition"), _passing("body")
    yes = schema.TensorT()
    yes.name, yes.shape, yes.type = "true", [1], schema.TensorType.BOOL
    yes.buffer = len(model.buffers) - 1
    condition.tensors.append(yes)
    condition.outputs = [1]
    model.subgraphs += [condition, body]
    return pack(model)


def huge(size: int = 60_000) -> bytes:
    """Broadcasts a row to [size, size, 3] floats: 43 GB."""
    writer = Writer("huge")
    source = writer.tensor("source", ROW, np.float32)
    wide = writer.tensor("wide", (size, size, 3), np.float32)
    end = writer.tensor("end", ROW, np.float32)
    shape = writer.constant("shape", np.int32([1, size, size, 3]))
    axes = writer.constant("axes", np.int32([1, 2]))
    writer.op(
        "BROADCAST_TO",
        [source, shape],
        [wide],
        version=2,
        options="BroadcastToOptions",
    )
    writer.op("MEAN", [wide, axes], [end], options="ReducerOptions")
    return writer.to_bytes({"source": source}, {"end": end})


def _passing(name):
    tensor = schema.TensorT()
    tensor.name, tensor.shape = "row", [1, *ROW]
    tensor.shapeSignature = [-1, *ROW]
    graph = schema.SubGraphT()
    graph.name, graph.tensors, graph.operators = name, [tensor], []
    graph.inputs = graph.outputs = [0]
    return graph
