"""Your own network with fewer bits: does it give away less?

    python examples/quantized_cnn.py

Trains a small network on half of the digits, quantizes it at (8, 8), (4, 4)
and (2, 2) with qmia_tf.quantize_model, trains each a few epochs more, writes
int8 .tflite files where int8 carries the bits exactly, and audits all of them
on the same records. Takes about 40 seconds; writes into runs/example_bits.
"""

import os
import pathlib

# Before TensorFlow is imported: without AVX-512 it trains slowly otherwise.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import keras_file

import qmia_tf
from qmia_tf.deploy import export
from qmia_tf.errors import InputError

OUT = "runs/example_bits"
BITS = (8, 4, 2)


def network() -> keras.Model:
    """Pixels / 255 to ten probabilities; a batch norm before every ReLU."""
    pixels = x = keras.Input((8, 8, 1))
    for filters, strides in ((16, 1), (32, 2), (32, 1)):
        x = keras.layers.Conv2D(
            filters, 3, strides=strides, padding="same", use_bias=False
        )(x)
        # DoReFa clips to [0, 1]: what arrives there has to be scaled. With
        # few steps of training the statistics must follow them quickly.
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(10, activation="softmax")(x)
    return keras.Model(pixels, x)


def fit(model, images, labels, *, epochs):
    """Trains on pixels / 255."""
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images / 255.0, labels, batch_size=64, epochs=epochs, verbose=0)


def int8_file(model, path):
    """Writes the .tflite file of a .keras file; None if int8 cannot hold it.

    Returns: path of the .tflite file.
    """
    try:
        export.export(model, path, schemes=("int8",), progress=print)
    except InputError as error:
        print(f"no int8 file of {model.name}: {error}")
        return None
    return path / "int8.tflite"


def main(out=OUT, *, bits=BITS, epochs=20, more_epochs=4):
    """Trains, quantizes, exports and audits; returns the audit."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    members, nonmembers = keras_file.halves()
    keras.utils.set_random_seed(0)
    model = network()
    fit(model, *members, epochs=epochs)
    model.save(out / "float.keras")
    targets = {"float": out / "float.keras"}
    files = {}
    for width in bits:
        name = f"w{width}a{width}"
        quantized = qmia_tf.quantize_model(
            model,
            weight_bits=width,
            activation_bits=width,
            calibration=members[0][:300],
        )
        fit(quantized, *members, epochs=more_epochs)
        targets[name] = out / f"{name}.keras"
        quantized.save(targets[name])
        files[f"{name}_int8"] = int8_file(targets[name], out / name)
    files = {name: path for name, path in files.items() if path}

    # Keras models take floats, of which range only you know; integer files
    # say it themselves.
    result = qmia_tf.audit(
        targets | files,
        members,
        nonmembers,
        input_range=[(0, 1)] * len(targets) + ["auto"] * len(files),
        out=out / "audit",
    )
    print(result)
    return result


if __name__ == "__main__":
    main()
