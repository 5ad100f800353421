"""What int4 storage of the weights would give, and why it is not used.

    python benchmarks/int4_weights.py

Writes the same w2a4 ResNet-18 (width 64, random weights) twice, with its codes
-3, -1, 1, 3 in int8 and packed as int4, and runs both files under every
kernel set: size, time of one image on one thread, and how many int8 codes of
200 images differ between the two. Takes a minute.
"""

import sys
import time

import numpy as np
from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import program

STEM = flags.DEFINE_string("stem", "imagenet", "imagenet or cifar")
WIDTH = flags.DEFINE_integer("width", 64, "channels of the first stage")
IMAGES = flags.DEFINE_integer("images", 200, "images to compare")
SHAPE = (32, 32, 3)
INT4_MAX = 7
CONV_WITH_INT4 = 7  # the op version that knows int4 weights


def main(argv):
    """Writes, runs and prints."""
    del argv
    quiet.start_tensorflow()
    import importlib.metadata

    from qmia_tf.deploy.tflite.interpreter import KERNELS
    from qmia_tf.deploy.tflite.observed_tensors import Observed

    wide = int8_file()
    packed = with_int4(wide)
    print(f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}")
    print(f"int8 {len(wide) / 1e6:.2f} MB, int4 {len(packed) / 1e6:.2f} MB")
    print(f"{'kernels':12}{'int8 ms':>10}{'int4 ms':>10}{'codes differ':>24}")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES.value, *SHAPE), np.uint8)
    for kernels in KERNELS:
        files = [Observed(data, kernels=kernels) for data in (wide, packed)]
        (ours, _), (theirs, _) = (file.run(images) for file in files)
        off = sum(int(np.sum(ours[name] != theirs[name])) for name in ours)
        codes = sum(part.size for part in ours.values())
        spent = [milliseconds(data, kernels) for data in (wide, packed)]
        print(
            f"{kernels:12}{spent[0]:10.3f}{spent[1]:10.3f}"
            f"{f'{off} of {codes}':>24}"
        )


def int8_file():
    """Returns the file of a w2a4 network with codes in -3..3."""
    from unittest import mock

    from qmia_tf.deploy.integer import int8_file as int8
    from qmia_tf.deploy.integer import integer_network, kernel_conversion
    from qmia_tf.deploy.integer.batch_norm_folding import fold_kernel
    from qmia_tf.models.resnet import resnet18

    def small(codes, *args, **options):
        if np.abs(codes).max() <= INT4_MAX:
            options["limit"] = INT4_MAX
        return fold_kernel(codes, *args, **options)

    model = resnet18(
        SHAPE,
        10,
        stem=STEM.value,
        width=WIDTH.value,
        weight_bits=2,
        activation_bits=4,
    )
    # Headroom up to int4's range, for both files alike.
    with mock.patch.object(kernel_conversion, "fold_kernel", small):
        return int8.to_tflite(integer_network.fold(model))


def with_int4(content):
    """Packs every int8 constant that fits into int4, two codes a byte."""
    from ai_edge_litert import schema_py_generated as schema

    from qmia_tf.deploy.tflite import flatbuffer

    model = flatbuffer.unpack(content)
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if not flatbuffer.is_int8(tensor) or data is None:
            continue
        codes = np.frombuffer(bytes(data), np.int8)
        if np.abs(codes).max() > INT4_MAX:
            continue
        codes = np.append(codes, np.zeros(codes.size % 2, np.int8)) & 15
        packed = codes[0::2] | (codes[1::2] << 4)
        model.buffers[tensor.buffer].data = packed.astype(np.uint8)
        tensor.type = schema.TensorType.INT4
    for code in model.operatorCodes:
        if code.builtinCode == schema.BuiltinOperator.CONV_2D:
            code.version = CONV_WITH_INT4
    return flatbuffer.pack(model)


def milliseconds(content, kernels):
    """Returns the best time of one image on one thread."""
    import pathlib
    import tempfile

    from qmia_tf.deploy.tflite.interpreter import Interpreter

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.tflite"
        path.write_bytes(content)
        interpreter = Interpreter(path, kernels=kernels)
    image = np.zeros((1, *SHAPE), np.uint8)
    interpreter.run(image)
    best = np.inf
    for _ in range(15):
        start = time.perf_counter()
        interpreter.run(image)
        best = min(best, time.perf_counter() - start)
    return best * 1e3


if __name__ == "__main__":
    program.run(sys.modules[__name__])
