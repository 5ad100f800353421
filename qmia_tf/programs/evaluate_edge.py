r"""Measures a .tflite file on this machine and captures its answers.

    qmia edge --model=int8.tflite --data=data.npz \
        --outputs=pi4.npz --json=pi4.json

A board needs numpy, ai-edge-litert and qmia_edge.pyz, which is this program as
one file: docs/edge.md. --data is made by qmia export_data. Prints
accuracy, latency, throughput and memory, and writes the answers, which
qmia attack --outputs=pi4.npz audits on another machine, and what is
printed as JSON. Takes some seconds, and as long as the images need; killed
and started again with the same command it goes on.
"""

import contextlib

from absl import flags

from qmia_tf.errors import InputError
from qmia_tf.programs import flag_values

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("model", None, "the .tflite file")
    flags.DEFINE_string("data", None, "the .npz that qmia export_data wrote")
    flags.DEFINE_string("outputs", None, "the .npz to write")
    flags.DEFINE_string("json", None, "the .json to write, if wanted")
    flags.DEFINE_list(
        "threads",
        [],
        "numbers of threads to time; the records are asked with the largest; "
        "default: 1, 2 and 4 as far as there are cores",
    )
    flags.DEFINE_string(
        "kernels", "default", "LiteRT's kernels: default, builtin, reference"
    )
    flags.DEFINE_boolean("logits", False, "the file answers logits")
    flags.DEFINE_string(
        "signature", None, "the signature to run, if the file has several"
    )
    flags.DEFINE_integer("batch_size", 100, "images a call")
    flags.DEFINE_float(
        "seconds", 1.0, "how long each time is measured, in seconds"
    )


def main(argv):
    """Evaluates as the flags say."""
    del argv
    model, data, out = map(flag_values.required, ("model", "data", "outputs"))
    from qmia_tf import files, locks
    from qmia_tf.edge import evaluation, evaluation_text

    summary = FLAGS.json
    with locks.writing(summary) if summary else contextlib.nullcontext():
        figures = evaluation.evaluate(
            model,
            data,
            out,
            threads=_threads(),
            kernels=FLAGS.kernels,
            logits=FLAGS.logits,
            signature=FLAGS.signature,
            batch_size=FLAGS.batch_size,
            seconds=FLAGS.seconds,
        )
        if summary:
            files.write_json(summary, figures)
    print(evaluation_text.page(figures))
    print(f"\n{out} is written: copy it back for qmia attack")


def _threads():
    if not FLAGS.threads:
        return None
    try:
        return [int(count) for count in FLAGS.threads]
    except ValueError as error:
        raise InputError(
            "--threads must be numbers such as 1,2,4, got "
            f"{','.join(FLAGS.threads)}"
        ) from error
