"""What the configuration of a Keras file would run, read before it is built.

A file names the classes and functions that a model is made of, and Keras
looks them up, imports them and calls them; a Lambda layer brings its code
along. Only what Keras itself has, and what computes on tensors alone, passes.
"""

import re

from qmia_tf.errors import InputError

NAMESPACES = """
    layers layers.experimental layers.experimental.preprocessing initializers
    regularizers constraints optimizers optimizers.legacy optimizers.schedules
    losses metrics mixed_precision dtype_policies
    """.split()
MODELS = ("Functional", "Model", "Sequential")
OLD_NAMES = ("BatchNormalizationV1", "BatchNormalizationV2")
# How numbers are written, not objects.
MARKS = """
    TensorShape __bytes__ __ellipsis__ __keras_tensor__ __numpy__ __tensor__
    __tuple__
    """.split()
# These run a program, or read a file that the configuration names.
UNFIT = """
    DenseFeatures DynamicEmbedding DynamicLookup FlaxLayer IntegerLookup
    JaxLayer Lambda StringLookup TFSMLayer TextVectorization
    TorchModuleWrapper
    """.split()
# Where tf_keras' own networks have some of their initializers from.
INITIALIZERS = (
    "tensorflow.python.ops.init_ops",
    "tensorflow.python.ops.init_ops_v2",
)
# Layers that hold an operation of TensorFlow by its public name.
OPERATIONS = ("TFOpLambda", "SlicingOpLambda")
RAW_OPERATION = "TensorFlowOpLayer"
FUNCTIONS = frozenset(
    """
    __operators__.add __operators__.getitem broadcast_to cast clip_by_value
    concat einsum expand_dims gather identity image.resize
    image.rgb_to_grayscale linalg.matmul math.abs math.add math.argmax
    math.ceil math.cumsum math.divide math.equal math.erf math.exp math.expm1
    math.floor math.greater math.greater_equal math.l2_normalize math.less
    math.less_equal math.log math.log1p math.logical_and math.logical_not
    math.logical_or math.maximum math.minimum math.multiply math.negative
    math.not_equal math.pow math.reciprocal math.reduce_max math.reduce_mean
    math.reduce_min math.reduce_prod math.reduce_std math.reduce_sum
    math.reduce_variance math.round math.rsqrt math.sigmoid math.sign
    math.softplus math.sqrt math.square math.squared_difference math.subtract
    math.tanh math.truediv nn.avg_pool2d
    nn.bias_add nn.conv2d nn.depth_to_space nn.elu nn.gelu nn.leaky_relu
    nn.log_softmax nn.max_pool2d nn.relu nn.relu6 nn.selu nn.sigmoid nn.silu
    nn.softmax nn.space_to_depth nn.swish nn.tanh one_hot ones_like pad repeat
    reshape reverse shape slice split squeeze stack stop_gradient
    strided_slice tile transpose unstack where zeros_like
    """.split()
)
OPS = frozenset(
    """
    Abs Add AddV2 BiasAdd Cast ClipByValue ConcatV2 Div Exp ExpandDims
    Identity Log MatMul Max Maximum Mean Min Minimum Mul Neg Pad Pow RealDiv
    Relu Relu6 Reshape Rsqrt Sigmoid Softmax Sqrt Square Squeeze StridedSlice
    Sub Sum Tanh Tile Transpose
    """.split()
)
PRUNING = (
    "load it in tfmot.sparsity.keras.prune_scope(), and save what "
    "tfmot.sparsity.keras.strip_pruning(model) gives"
)
CLUSTERING = (
    "load it in tfmot.clustering.keras.cluster_scope(), and save what "
    "tfmot.clustering.keras.strip_clustering(model) gives"
)
QUANTIZING = (
    "load it in tfmot.quantization.keras.quantize_scope(), and give the "
    ".tflite that tf.lite.TFLiteConverter makes of it (it is what devices "
    "get), or the model itself to qmia_tf.audit"
)
# Wrappers of tensorflow-model-optimization that were left in.
WRAPPERS = {
    "PruneLowMagnitude": PRUNING,
    "ClusterWeights": CLUSTERING,
    "QuantizeAnnotate": QUANTIZING,
    "QuantizeLayer": QUANTIZING,
    "QuantizeWrapper": QUANTIZING,
    "QuantizeWrapperV2": QUANTIZING,
}
YOURSELF = (
    "if you trust the file, load it yourself and give the model to "
    "qmia_tf.audit"
)
LAMBDA = (
    "has a Lambda layer, which is program code kept in the file; safe mode "
    "does not run code of a file: write the layer as a class or a Rescaling, "
    f"or, {YOURSELF}"
)


def require_stock(config: dict, library, path):
    """Checks a model's configuration; nothing of it is built or imported.

    Args:
        config: parsed JSON.
        library: the module keras or tf_keras.
        path: of the file, for messages.
    Raises: InputError that names what is not Keras' own.
    """
    check = _Check(library, path)
    waiting = [(None, config)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                check.entry(value)
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, element) for element in value]
        elif isinstance(value, str) and str(key).endswith("activation"):
            check.activation(value)


class _Check:
    def __init__(self, library, path):
        self.path = path
        self.package = library.__name__
        spaces = [_attribute(library, name) for name in NAMESPACES]
        self.classes = {
            name
            for space in spaces
            for name, value in vars(space).items()
            if isinstance(value, type)
        }
        self.classes |= {*MODELS, *OLD_NAMES, *MARKS}
        self.classes -= set(UNFIT)
        self.ops = _attribute(library, "ops")
        functions = vars(library.activations)
        self.activations = {"softmax_v2", *functions, *self.classes}
        self.activations -= {"deserialize", "get", "serialize"}

    def entry(self, entry):
        """Checks one class or function that is named."""
        name = entry["class_name"]
        if not isinstance(name, str):
            self.refuse(name)
        if name in OPERATIONS or name == RAW_OPERATION:
            self.operation(entry)
        elif name == "function":
            self.activation(entry.get("config"))
        elif name not in self.classes and not self.is_ours(name):
            self.refuse(name)
        self.place(entry)

    def place(self, entry):
        """Checks where the library would look for it."""
        name, module = entry["class_name"], entry.get("module")
        registered = entry.get("registered_name")
        if registered not in (None, name, entry.get("config")):
            self.refuse(str(registered))
        is_known = (
            module is None
            or str(module).partition(".")[0] in ("keras", "tf_keras")
            or (module == "builtins" and name == "function")
            or module in INITIALIZERS
        )
        if not is_known:
            self.refuse(f"{module}.{name}")

    def operation(self, entry):
        """Checks the TensorFlow function, or operation, of a layer."""
        config = entry.get("config")
        config = config if isinstance(config, dict) else {}
        if entry["class_name"] == RAW_OPERATION:
            node = config.get("node_def")
            name = node.get("op") if isinstance(node, dict) else None
            is_known = str(name) in OPS
        else:
            name = config.get("function")
            is_known = str(name).removeprefix("compat.v1.") in FUNCTIONS
        if not is_known:
            raise InputError(
                f"{self.path} has TensorFlow's operation {name} in its layer "
                f"{config.get('name')!r}, which is not known to compute on "
                f"tensors alone, and is not run: {YOURSELF}"
            )

    def activation(self, name):
        """Checks the name of a function of numbers."""
        if not isinstance(name, str) or name not in self.activations:
            self.refuse(name)

    def is_ours(self, name):
        """Whether a class is registered by this project, for Keras 3."""
        if self.package != "keras" or not name.startswith("qmia_tf>"):
            return False
        import keras

        return keras.saving.get_registered_object(name) is not None

    def refuse(self, name):
        """Raises InputError: what a name stands for, and what to do."""
        short = str(name).rpartition(">")[2].rpartition(".")[2]
        if short in ("Lambda", "__lambda__"):
            raise InputError(f"{self.path} {LAMBDA}")
        if short in WRAPPERS:
            raise InputError(left_in(short, self.path))
        snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", short).lower()
        if self.package == "keras" and hasattr(self.ops, snake):
            raise InputError(
                f"{self.path} has the operation keras.ops.{snake}, which "
                "Keras 3 does not open from .h5: save the model again with "
                "model.save('NAME.keras')"
            )
        raise InputError(
            f"{self.path} names {name!r}, which is none of Keras' public "
            "layers and functions: it may run any program, and the file does "
            "not hold its code. Load the file yourself, with "
            "custom_objects={...}, and give the model to qmia_tf.audit"
        )


def left_in(wrapper: str, path) -> str:
    """Says of a wrapper of tfmot what to do; one of WRAPPERS."""
    return (
        f"{path} was saved with a wrapper of tensorflow-model-optimization "
        f"({wrapper}) still around its layers: {WRAPPERS[wrapper]}"
    )


def _attribute(library, name):
    """The module library.a.b; of one that the library lacks, an empty one."""
    for part in name.split("."):
        library = getattr(library, part, type(None))
    return library
