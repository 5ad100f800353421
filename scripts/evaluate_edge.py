"""Measures a .tflite file on this machine and captures its answers.

    python evaluate_edge.py --model=int8.tflite --data=data.npz \
        --outputs=pi4.npz --json=pi4.json

Needs numpy, absl-py, tqdm, filelock and ai-edge-litert, and qmia_tf installed
with --no-deps: docs/edge.md. --data is made by scripts/export_data.py. Prints
accuracy, latency, throughput and memory, and writes the answers, which
scripts/attack.py --outputs=pi4.npz audits on another machine, and what is
printed as JSON. Takes some seconds, and as long as the images need; killed
and started again with the same command it goes on.
"""

import pathlib

from absl import flags

from qmia_tf.errors import InputError
from qmia_tf.programs import program

MODEL = flags.DEFINE_string("model", None, "the .tflite file")
DATA = flags.DEFINE_string("data", None, "the .npz of export_data.py")
OUTPUTS = flags.DEFINE_string("outputs", None, "the .npz to write")
JSON = flags.DEFINE_string("json", None, "the .json to write, if wanted")
THREADS = flags.DEFINE_list(
    "threads",
    [],
    "numbers of threads to time; the records are asked with the largest; "
    "default: 1, 2 and 4 as far as there are cores",
)
KERNELS = flags.DEFINE_string(
    "kernels", "default", "LiteRT's kernels: default, builtin, reference"
)
LOGITS = flags.DEFINE_boolean("logits", False, "the file answers logits")
SIGNATURE = flags.DEFINE_string(
    "signature", None, "the signature to run, if the file has several"
)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 100, "images a call")
SECONDS = flags.DEFINE_float(
    "seconds", 1.0, "how long each time is measured, in seconds"
)


def main(argv):
    """Evaluates as the flags say."""
    del argv
    for flag in (MODEL, DATA, OUTPUTS):
        if not flag.value:
            raise InputError(f"--{flag.name} is missing")
    from qmia_tf import files
    from qmia_tf.edge import evaluation, evaluation_text

    if JSON.value:
        files.require_writable(pathlib.Path(JSON.value).parent)
    figures = evaluation.evaluate(
        MODEL.value,
        DATA.value,
        OUTPUTS.value,
        threads=_threads(),
        kernels=KERNELS.value,
        logits=LOGITS.value,
        signature=SIGNATURE.value,
        batch_size=BATCH_SIZE.value,
        seconds=SECONDS.value,
    )
    if JSON.value:
        files.write_json(JSON.value, figures)
    print(evaluation_text.page(figures))
    print(f"\n{OUTPUTS.value} is written: copy it back for scripts/attack.py")


def _threads():
    if not THREADS.value:
        return None
    try:
        return [int(count) for count in THREADS.value]
    except ValueError as error:
        raise InputError(
            "--threads must be numbers such as 1,2,4, got "
            f"{','.join(THREADS.value)}"
        ) from error


if __name__ == "__main__":
    program.run(main)
