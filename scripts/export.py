"""Writes a trained run as .tflite files.

    python scripts/export.py --run_dir=runs/cifar_w4a4
    python scripts/export.py --run_dir=runs/cifar --schemes=float16,tfmot_int8

Writes artifacts/SCHEME.tflite and artifacts/manifest.json (hash, size, ops,
types, scales, settings, versions) into --run_dir, and for int8 and int8_io
the Keras twin SCHEME_twin.keras. A file that is current stays as it is. Takes
some seconds a file; tfmot_int8 is trained, for about twice as long an epoch
as the model itself.

Schemes:
  float32     the network's exact codes in float kernels; any model
  float16     the same with float16 constants; any model
  dynamic     int8 weights (of kernels of 1024 or more), inputs rounded as
              they come; any model that has such a kernel
  int8_ptq    TFLite's full-integer post-training quantization, calibrated on
              members; full-precision models
  int8        the trained codes in int8 kernels, float head; w <= 7, a <= 8
  int8_io     the same, integers from the uint8 image to the int8 output
  tfmot_int8  tfmot's quantization-aware fine-tuning of the full-precision
              model, converted: the usual baseline
  auto        float32, and int8_ptq or int8 and int8_io if the model suits
"""

from absl import flags

from qmia_tf import quiet, terminal
from qmia_tf.programs import options, program

RUN_DIR = flags.DEFINE_string("run_dir", None, "the run directory")
SCHEMES = flags.DEFINE_list("schemes", ["auto"], "which files to make")
RECORDS = flags.DEFINE_integer(
    "calibration_records",
    500,
    "members drawn to measure ranges: int8_ptq, int8_io, tfmot_int8",
)
SEED = flags.DEFINE_integer("calibration_seed", 0, "draws them")
OUTPUT = flags.DEFINE_string(
    "int8_output", "softmax", "what int8_io gives: softmax or logits"
)
EPOCHS = flags.DEFINE_integer(
    "tfmot_epochs", 3, "passes over the members of tfmot_int8's fine-tuning"
)
options.define_data_place()


def main(argv):
    """Exports as the flags say."""
    del argv
    run_dir = options.required("run_dir")
    quiet.start_tensorflow()
    from qmia_tf.deploy import export, manifest
    from qmia_tf.experiments import configuration, run

    settings = export.Settings(
        calibration_records=RECORDS.value,
        calibration_seed=SEED.value,
        int8_output=OUTPUT.value,
        tfmot_epochs=EPOCHS.value,
    )
    config = configuration.read(run_dir)
    entries = run.export_run(
        run_dir,
        lambda: options.load_data(
            name=config["dataset"]["name"], pool=config["dataset"]["pool"]
        ),
        schemes=SCHEMES.value,
        settings=settings,
        progress=terminal.say,
    )
    print(f"{run_dir}/artifacts:")
    print(manifest.table(entries))


if __name__ == "__main__":
    program.run(main)
