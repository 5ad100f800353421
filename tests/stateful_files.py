"""Small .tflite files whose ops keep a state, or that have signatures."""

import numpy as np
import tensorflow as tf
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema

from qmia_tf.deploy.tflite import flatbuffer

FEATURES, UNITS, STEPS = 4, 3, 5
TANH = schema.ActivationFunctionType.TANH
KINDS = (
    "RNN",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
)


def weights(*shape, seed=0):
    """Random float32 numbers."""
    rng = np.random.default_rng((seed, *shape))
    return rng.normal(size=shape).astype(np.float32)


def recurrent(kind, batch=None):
    """A file of one op that keeps a state, and a softmax.

    Args:
        kind: one of KINDS; a sequence is one step long.
        batch: a fixed batch size; None leaves it open.
    Returns: bytes. It takes float32 [N, 4], or [N, 1, 4] of a sequence.
    """
    file = _File(kind, batch)
    getattr(file, f"_{kind.lower()}")()
    return file.finished()


class _File:
    def __init__(self, kind, batch):
        self.writer = flatbuffer.Writer("test")
        self.batch, self.states = batch, []
        self.steps = (1,) if "SEQUENCE" in kind else ()
        self.pixels = self.tensor("x", FEATURES)
        self.hidden = self.tensor("hidden", UNITS)

    def tensor(self, name, size):
        shape = (*self.steps, size)
        return self.writer.tensor(name, shape, np.float32)

    def constant(self, name, *shape, seed=0):
        return self.writer.constant(name, weights(*shape, seed=seed))

    def state(self, size):
        zeros = np.zeros((self.batch or 1, size), np.float32)
        name = f"state{len(self.states)}"
        self.states.append(self.writer.constant(name, zeros))
        return self.states[-1]

    def cell(self, seed=0):
        """Weights, bias and state of a simple recurrent cell."""
        return [
            self.constant(f"w{seed}", UNITS, FEATURES, seed=seed),
            self.constant(f"r{seed}", UNITS, UNITS, seed=seed),
            self.constant(f"b{seed}", UNITS, seed=seed),
            self.state(UNITS),
        ]

    def op(self, kind, inputs, outputs, options, **fields):
        self.writer.op(
            kind, inputs, outputs, options=f"{options}Options", **fields
        )

    def _rnn(self):
        inputs = [self.pixels, *self.cell()]
        self.op(
            "RNN", inputs, [self.hidden], "RNN", fusedActivationFunction=TANH
        )

    def _unidirectional_sequence_rnn(self):
        self.op(
            "UNIDIRECTIONAL_SEQUENCE_RNN",
            [self.pixels, *self.cell()],
            [self.hidden],
            "SequenceRNN",
            fusedActivationFunction=TANH,
        )

    def _bidirectional_sequence_rnn(self):
        self.hidden = self.tensor("both", 2 * UNITS)
        self.op(
            "BIDIRECTIONAL_SEQUENCE_RNN",
            [self.pixels, *self.cell(0), *self.cell(1), -1, -1, -1],
            [self.hidden],
            "BidirectionalSequenceRNN",
            fusedActivationFunction=TANH,
            mergeOutputs=True,
        )

    def _svdf(self):
        inputs = [
            self.pixels,
            self.constant("feature", 2 * UNITS, FEATURES),
            self.constant("time", 2 * UNITS, STEPS),
            self.constant("bias", UNITS),
            self.state(STEPS * 2 * UNITS),
        ]
        self.op("SVDF", inputs, [self.hidden], "SVDF", rank=2)

    def _unidirectional_sequence_lstm(self):
        gates = [
            self.constant(f"w{i}", UNITS, FEATURES, seed=i) for i in range(4)
        ]
        again = [self.constant(f"r{i}", UNITS, UNITS, seed=i) for i in range(4)]
        biases = [self.constant(f"b{i}", UNITS, seed=i) for i in range(4)]
        peepholes, projection, norms = [-1] * 3, [-1] * 2, [-1] * 4
        states = [self.state(UNITS), self.state(UNITS)]
        inputs = [self.pixels, *gates, *again, *peepholes, *biases]
        self.op(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [*inputs, *projection, *states, *norms],
            [self.hidden],
            "UnidirectionalSequenceLSTM",
            fusedActivationFunction=TANH,
        )

    def finished(self):
        width = UNITS if self.hidden == 1 else 2 * UNITS
        answer = self.tensor("p", width)
        self.op("SOFTMAX", [self.hidden], [answer], "Softmax", beta=1.0)
        model = flatbuffer.unpack(
            self.writer.to_bytes({"x": self.pixels}, {"p": answer})
        )
        tensors = model.subgraphs[0].tensors
        for index in self.states:
            tensors[index].isVariable, tensors[index].buffer = True, 0
        if self.batch:
            entry = tensors[self.pixels]
            entry.shape = [self.batch, *self.steps, FEATURES]
            entry.shapeSignature = None
        return flatbuffer.pack(model)


def fresh(content, rows, signature=None):
    """Answers by an interpreter of its own for each record.

    Args:
        content: bytes of a file that takes one record at a time.
        rows: float32 [N, ...].
        signature: its name; None runs the main graph.
    Returns: float32 [N, C].
    """
    answers = []
    for row in rows:
        lite = litert.Interpreter(model_content=content)
        if signature:
            runner = lite.get_signature_runner(signature)
            (name,) = runner.get_input_details()
            (answer,) = runner(**{name: row[None]}).values()
        else:
            lite.allocate_tensors()
            lite.set_tensor(lite.get_input_details()[0]["index"], row[None])
            lite.invoke()
            answer = lite.get_tensor(lite.get_output_details()[0]["index"])
        answers.append(answer.reshape(-1))
    return np.array(answers)


class Several(tf.Module):
    """Signatures "embed", "classify", "train"; classify reads a variable."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(weights(FEATURES, UNITS))
        self.mask = tf.constant((weights(FEATURES, UNITS) > 0).astype("f"))

    @tf.function(input_signature=[tf.TensorSpec((None, FEATURES), name="x")])
    def embed(self, x):
        return {"features": x[:, :2] * 2.0}

    @tf.function(input_signature=[tf.TensorSpec((None, FEATURES), name="x")])
    def classify(self, x):
        return {"probabilities": tf.nn.softmax(x @ self.kernel)}

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, FEATURES), name="x"),
            tf.TensorSpec((None, UNITS), name="y"),
        ]
    )
    def train(self, x, y):
        error = tf.nn.softmax(x @ self.kernel) - y
        self.kernel.assign_sub(0.1 * tf.matmul(x, error, transpose_a=True))
        return {"error": tf.reduce_mean(error**2)}

    @tf.function(input_signature=[tf.TensorSpec((None, FEATURES), name="x")])
    def prune(self, x):
        """Assigns, as a pruning wrapper does, and answers alike."""
        self.kernel.assign(self.kernel * self.mask)
        return {"probabilities": tf.nn.softmax(x @ self.kernel)}

    @tf.function(input_signature=[tf.TensorSpec((None, FEATURES), name="x")])
    def count(self, x):
        """Answers otherwise each time."""
        self.kernel.assign(self.kernel * 1.5)
        return {"probabilities": tf.nn.softmax(x @ self.kernel)}


def expected(x, kernel):
    """NumPy's softmax(x @ kernel)."""
    powers = np.exp(x.astype(np.float64) @ kernel.astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


def save(folder, *names):
    """Saves signatures of Several as a SavedModel.

    Returns: its path, and the module.
    """
    module = Several()
    path = str(folder)
    signatures = {name: getattr(module, name) for name in names}
    tf.saved_model.save(module, path, signatures=signatures)
    return path, module


def convert(folder, *names):
    """Converts signatures of Several, variables kept.

    Returns: bytes, and the module.
    """
    path, module = save(folder, *names)
    converter = tf.lite.TFLiteConverter.from_saved_model(
        path, signature_keys=list(names)
    )
    converter.experimental_enable_resource_variables = True
    return converter.convert(), module
