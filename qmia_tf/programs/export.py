"""Writes a trained run as .tflite files.

    qmia export --run_dir=runs/cifar_w4a4
    qmia export --run_dir=runs/cifar --schemes=float16,tfmot_int8

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
  integer     int8_ptq or int8, whichever suits the model
"""

from absl import flags

from qmia_tf import quiet, terminal
from qmia_tf.programs import early_checks, flag_values, options

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("run_dir", None, "the run directory")
    flags.DEFINE_list("schemes", ["auto"], "which files to make")
    flags.DEFINE_integer(
        "calibration_records",
        500,
        "members drawn to measure ranges: int8_ptq, int8_io, tfmot_int8",
    )
    flags.DEFINE_integer("calibration_seed", 0, "draws them")
    flags.DEFINE_enum(
        "int8_output", "softmax", ["softmax", "logits"], "what int8_io gives"
    )
    flags.DEFINE_integer(
        "tfmot_epochs", 3, "passes over the members of tfmot_int8's fine-tuning"
    )
    options.define_data_place()


def main(argv):
    """Exports as the flags say."""
    del argv
    run_dir = flag_values.required("run_dir")
    from qmia_tf.deploy import schemes
    from qmia_tf.deploy.conversion_job import Settings

    schemes.check_names(FLAGS.schemes)
    settings = Settings(
        calibration_records=FLAGS.calibration_records,
        calibration_seed=FLAGS.calibration_seed,
        int8_output=FLAGS.int8_output,
        tfmot_epochs=FLAGS.tfmot_epochs,
    )
    config = early_checks.run(run_dir, with_data=False)
    quiet.start_tensorflow()
    from qmia_tf.deploy import manifest
    from qmia_tf.experiments import run

    entries = run.export_run(
        run_dir,
        lambda: options.load_run_data(config),
        schemes=FLAGS.schemes,
        settings=settings,
        progress=terminal.say,
    )
    print(f"{run_dir}/artifacts:")
    print(manifest.table(entries))
