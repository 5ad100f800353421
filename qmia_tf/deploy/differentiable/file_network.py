"""A .tflite file as a TensorFlow graph that gradients pass through."""

import collections
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from qmia_tf.deploy.differentiable import file_graph
from qmia_tf.deploy.differentiable.file_graph import FileGraph
from qmia_tf.deploy.differentiable.file_layers import (
    LAYERS,
    LayerCall,
    make_layer,
)
from qmia_tf.deploy.differentiable.graph_ops import CLIPS, OPS, Call, GraphOp
from qmia_tf.deploy.differentiable.rounding_gradients import to_levels
from qmia_tf.deploy.tflite.file_contents import layer_name
from qmia_tf.errors import InputError

KNOWN = (*LAYERS, *OPS)
# What may stand between the logits' softmax and the end of a file.
ENDS = ("DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE")
# What an op of a damaged file may end in.
FAILURES = (
    *(ArithmeticError, LookupError, NotImplementedError, TypeError),
    *(ValueError, tf.errors.OpError),
)
NOTHING = GraphOp(lambda call: None)


class FileNetwork:
    """A .tflite file made differentiable; see `differentiable.load`.

    Attributes:
        input: ports.Port.
        output: likewise.
        layers: FileLayer of each convolution and dense layer, in the order
            in which they are run.
    """

    def __init__(self, graph: FileGraph):
        self._graph = graph
        self.source = graph.source
        self._require_known()
        tensors = graph.tensors
        self.input = tensors[graph.input].port(graph.input)
        self.output = tensors[graph.output].port(graph.output)
        self._file_batch = max(tensors[graph.input].shape[:1], default=1)
        self._made_by = {i: op for op in graph.ops for i in op.outputs}
        self._names = collections.Counter()
        self._kernels = {
            op.index: self._layer(op) for op in graph.ops if op.name in LAYERS
        }
        self.layers = list(self._kernels.values())
        self._ops = self._needed()
        used = {i for op in self._ops for i in self._read(op) if i >= 0}
        self._constants = {
            index: _constant(tensors[index])
            for index in sorted(used)
            if tensors[index].content is not None
        }
        self._require_order()
        self._softmax = self._end_op()

    @property
    def trainable_weights(self) -> dict[str, list[tf.Variable]]:
        """Layer -> kernel and bias, dequantized."""
        return {layer.name: layer.trainable_weights for layer in self.layers}

    def __call__(self, values) -> tf.Tensor:
        """Runs a batch.

        Args:
            values: [N, ...], codes of the input's own integer type, or
                float32 values.
        Returns: float32 [N, C]: what the file's output codes stand for.
        """
        return self.outputs(self.run(values))

    def outputs(self, tensors: dict) -> tf.Tensor:
        """The outputs [N, C] among what `run` gave."""
        data = tensors[self._graph.output]
        data = tf.reshape(data, (-1, data.shape[-1]))
        return data * self._graph.tensors[self._graph.output].scale

    def codes(self, values) -> tf.Tensor:
        """Runs a batch; gives the output as the file stores it."""
        port = self.output
        outputs = self(values)
        if not port.step:
            return outputs
        levels = tf.round(outputs / np.float32(port.step))
        return tf.cast(levels + port.zero_point, port.dtype)

    def logits(self, tensors: dict) -> tf.Tensor:
        """The logits [N, C] among what `run` gave.

        Of a file that ends in a softmax those that go into it, of a sigmoid
        of one number 0 and what goes into it.
        """
        op = self._softmax
        index = op.inputs[0] if op else self._graph.output
        z = tensors[index] * self._graph.tensors[index].scale
        z = tf.reshape(z, (-1, z.shape[-1]))
        if op and op.name == "LOGISTIC":
            return tf.concat([tf.zeros_like(z), z], -1)
        return z * (op.option("beta", 1.0) if op else 1.0)

    def refusal(self, error: Exception, place: str) -> InputError:
        """The error of a graph that TensorFlow cannot run."""
        reason = " ".join(str(error).split())[:200]
        return self._graph.refusal(f"{place}: {reason}")

    def losses(self, values, labels, *, logits: bool = False) -> tf.Tensor:
        """The cross entropy of each record, float32 [N].

        Args:
            values: as of a call.
            labels: int [N].
            logits: whether the file's output is logits.
        Raises: InputError if the file ends in no softmax.
        """
        self.require_loss(logits=logits)
        return cross_entropy(self.logits(self.run(values)), labels)

    def require_loss(self, *, logits: bool) -> None:
        """Raises InputError if no loss can be read off the file's end."""
        if logits or self._softmax:
            return
        last = self._made_by.get(self._graph.output)
        raise self._graph.refusal(
            f"it ends in {last.name if last else 'nothing'}, not in SOFTMAX, "
            "so its loss is not known"
        )

    def run(
        self,
        values,
        *,
        watch: Callable[[LayerCall], None] | None = None,
    ) -> dict[int, tf.Tensor]:
        """Runs a batch; gives the levels of every tensor, by its index.

        Args:
            values: as of a call.
            watch: takes each layer's call when its sums are made.
        """
        graph = self._graph
        data = {**self._constants, graph.input: self._input_levels(values)}
        batch = tf.shape(data[graph.input])[0]
        for op in self._ops:
            (index,) = op.outputs
            call = Call(
                op=op,
                data=[data[i] for i in self._read(op) if i >= 0],
                tensors=[graph.tensors[i] for i in self._read(op) if i >= 0],
                output=graph.tensors[index],
                batch=batch,
                file_batch=self._file_batch,
            )
            layer = self._kernels.get(op.index)
            try:
                data[index] = self._computed(call, layer, watch)
            except FAILURES as error:
                raise self.refusal(
                    error, f"{op.name} (op {op.index})"
                ) from error
        return data

    def _computed(self, call, layer, watch):
        known = OPS.get(call.op.name, NOTHING)
        if layer is None:
            result = known.compute(call)
        else:
            scale, output_scale = call.tensors[0].scale, call.output.scale
            inputs = layer.inputs(call.x)
            result = layer.call(inputs, scale, output_scale)
            if watch:
                watch(LayerCall(layer, inputs * scale, result, output_scale))
        if call.output.is_quantized and self._stays(call, known):
            return result
        return _finished(call, known, result)

    @staticmethod
    def _stays(call, known):
        if call.option("fusedActivationFunction", 0):
            return False
        return known.moves and all(
            tensor.scale == call.output.scale
            for tensor in call.tensors
            if tensor.is_quantized
        )

    def _input_levels(self, values):
        port = self.input
        if not port.step:
            return tf.convert_to_tensor(values, port.dtype)
        tensor = self._graph.tensors[self._graph.input]
        values = tf.convert_to_tensor(values)
        if values.dtype.is_integer:
            return tf.cast(values, tf.float32) - float(port.zero_point)
        return to_levels(values / tensor.scale, *tensor.levels)

    def _read(self, op):
        """The inputs that are levels; of a layer the first."""
        return op.inputs[:1] if op.name in LAYERS else op.inputs

    def _needed(self):
        """The ops that the output depends on; of weights none."""
        needed, ops = {self._graph.output}, []
        for op in reversed(self._graph.ops):
            if needed.intersection(op.outputs):
                needed.update(self._read(op))
                ops.insert(0, op)
        return ops

    def _require_known(self):
        strange = sorted({op.name for op in self._graph.ops} - set(KNOWN))
        if strange:
            raise self._graph.refusal(f"it has {', '.join(strange)}")
        for op in self._graph.ops:
            place = f"{op.name} (op {op.index})"
            if len(op.outputs) != 1:
                raise self._graph.refusal(
                    f"{place} has {len(op.outputs)} outputs"
                )
            kind = op.option("fusedActivationFunction", 0)
            if kind not in CLIPS:
                raise self._graph.refusal(f"{place} has activation {kind}")

    def _require_order(self):
        """Refuses ops that read what no op before them has written."""
        written = {self._graph.input, *self._constants}
        for op in self._ops:
            place = f"{op.name} (op {op.index})"
            if not written.issuperset(i for i in self._read(op) if i >= 0):
                raise self._graph.refusal(f"{place} reads what nothing writes")
            if written.intersection(op.outputs):
                raise self._graph.refusal(f"{place} writes a tensor again")
            written.update(op.outputs)
        if self._graph.output not in written:
            raise self._graph.refusal("nothing writes its output")

    def _layer(self, op):
        tensors = self._graph.tensors
        source, kernel, *bias = (*op.inputs, -1)[:3]
        weights = [self._weights(op, index) for index in (kernel, *bias)]
        output = tensors[op.outputs[0]]
        name = layer_name(tensors[kernel].name, output.name)
        self._names[name] += 1
        count = self._names[name]
        return make_layer(
            op,
            tensors[source],
            *weights,
            output=output,
            name=name if count == 1 else f"{name}_{count}",
            places=math.prod(output.shape[:-1]) // self._file_batch,
        )

    def _weights(self, op, index):
        """A constant, or the one that a DEQUANTIZE makes floats of."""
        if index < 0:
            return None
        tensor, before = self._graph.tensors[index], self._made_by.get(index)
        if tensor.content is None and before and before.name == "DEQUANTIZE":
            stored = self._graph.tensors[before.inputs[0]]
            if stored.content is not None:
                return file_graph.as_floats(stored, tensor.name)
        if tensor.content is None:
            raise self._graph.refusal(
                f"{op.name} (op {op.index}) has weights that the file computes"
            )
        return tensor

    def _end_op(self):
        """The SOFTMAX, or LOGISTIC of one number, that the file ends in."""
        op = self._made_by.get(self._graph.output)
        while op is not None and op.name in ENDS:
            op = self._made_by.get(op.inputs[0])
        if op is None or op.name not in ("SOFTMAX", "LOGISTIC"):
            return None
        is_one = self._graph.tensors[op.outputs[0]].shape[-1] == 1
        return op if is_one == (op.name == "LOGISTIC") else None


def cross_entropy(logits: tf.Tensor, labels) -> tf.Tensor:
    """-log softmax(logits)[label], float32 [N]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.cast(labels, tf.int32), logits=logits
    )


def _constant(tensor):
    """The levels of a constant; one scale only, as everywhere but in layers."""
    if not tensor.is_quantized:
        return tf.constant(tensor.values())
    return tf.constant(tensor.values() / tensor.channel_scales)


def _finished(call, known, result):
    """Applies the activation, and rounds to the output's levels."""
    least, most = CLIPS[call.option("fusedActivationFunction", 0)]
    least, most = max(least, known.clip[0]), min(most, known.clip[1])
    if call.output.is_quantized:
        scale = float(call.output.scale)
        return to_levels(
            result,
            *map(float, call.output.levels),
            least=least / scale,
            most=most / scale,
            halves=known.halves,
            zero_point=float(call.output.zero_points[0]),
        )
    if (least, most) == (0.0, np.inf):
        return tf.nn.relu(result)
    if (least, most) == (0.0, 6.0):
        return tf.nn.relu6(result)
    if np.isfinite(least):
        return tf.clip_by_value(result, least, most)
    return result
