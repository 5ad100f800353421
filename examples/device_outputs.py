"""Your .tflite file, and the outputs of a device that runs it.

    python examples/device_outputs.py

Makes a .tflite file with TensorFlow's own converter, with 8-bit weights. A
stand-in for the device runs it on every record and writes a CSV of its
outputs: a row a record, members first, three digits as a log would have
them. Both are audited on the same records: do the digits that the log cut off
hide anything? Takes about 20 seconds; writes into runs/example_device.
"""

import contextlib
import csv
import io
import os
import pathlib

# Before TensorFlow is imported: without AVX-512 it trains slowly otherwise.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import keras_file
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import qmia_tf

OUT = "runs/example_device"


def converted(model) -> bytes:
    """The .tflite file of a Keras model, its weights in 8 bits."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # It says at length on stdout what it does.
    with contextlib.redirect_stdout(io.StringIO()):
        return converter.convert()


def capture(file, images, labels, table):
    """What runs on the device: queries each image, writes a CSV.

    Columns p0 to p9, and label. Where the device sees the images in another
    order, a column id says which record a row is about, from 0.
    """
    interpreter = Interpreter(str(file))
    interpreter.allocate_tensors()
    input_index = interpreter.get_input_details()[0]["index"]
    exit_ = interpreter.get_output_details()[0]["index"]
    with open(table, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*(f"p{n}" for n in range(10)), "label"])
        for image, label in zip(images, labels, strict=True):
            # The network's first layer divides by 255 itself.
            interpreter.set_tensor(input_index, image[None].astype(np.float32))
            interpreter.invoke()
            probabilities = interpreter.get_tensor(exit_)[0]
            writer.writerow([*(f"{p:.3f}" for p in probabilities), label])


def main(out=OUT, *, epochs=40):
    """Trains, converts, captures and audits; returns the audit."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    members, nonmembers = keras_file.halves()
    keras.utils.set_random_seed(0)
    model = keras_file.small_network()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*members, epochs=epochs, verbose=0)
    (out / "mine.tflite").write_bytes(converted(model))
    images, labels = (
        np.concatenate(sides) for sides in zip(members, nonmembers, strict=True)
    )
    capture(out / "mine.tflite", images, labels, out / "device.csv")

    # From here on it is your file, and your device's log. The file takes
    # floats and does not say of which range; the log needs no pixels.
    result = qmia_tf.audit(
        {"file": out / "mine.tflite", "log": out / "device.csv"},
        members,
        nonmembers,
        input_range=[(0, 255), "auto"],
        out=out / "audit",
    )
    print(result)
    return result


if __name__ == "__main__":
    main()
