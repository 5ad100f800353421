"""Makes the small models of tflite_models/ again, or checks them.

    python scripts/make_tflite_models.py --sets=digits,digits_memorizing
    python scripts/make_tflite_models.py --sets=cifar10
    python scripts/make_tflite_models.py --check

Trains ResNet-18s on

- half of the digits that scikit-learn bundles (width 8: full precision, w4a4,
  w2a2);
- a quarter of them with wrong labels (width 8: w4a4);
- half of CIFAR-10 (width 16: w4a4).

Exports them and audits that of CIFAR-10. Writes the .tflite files, their twins,
members and nonmembers of the digits, the audit and manifest.json into --out.
The digits take about four minutes, CIFAR-10 half an hour on two cores. If it is
stopped, the same command goes on.

--check runs the files that are there and compares hashes, accuracy, parity and
audit with the manifest: exit status 1 if something differs. Where CIFAR-10 is
not prepared, its files are not run, and a line says so.
"""

import sys

from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import checkout, flag_values, options, program

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("out", "tflite_models", "folder of the files")
    flags.DEFINE_string("work", "runs/tflite_models", "folder of the runs")
    flags.DEFINE_list(
        "sets", [], "which to make, or to run with --check; default: all"
    )
    flags.DEFINE_boolean("check", False, "only check what is there")
    options.define_data_place()


def main(argv):
    """Makes or checks as the flags say."""
    del argv
    quiet.start_tensorflow()
    model_build = checkout.load(__file__, "tools.model_build")
    manifest_check = checkout.load(__file__, "tools.manifest_check")
    set_options = {
        "sets": FLAGS.sets or None,
        "data_dir": flag_values.value("data_dir"),
        "download": flag_values.value("download"),
    }
    if not FLAGS.check:
        model_build.make(FLAGS.out, FLAGS.work, **set_options)
    differences = manifest_check.check(FLAGS.out, **set_options)
    for line in differences:
        print(line)
    if differences:
        sys.exit(1)
    print(f"{FLAGS.out}: every file is what manifest.json says")


if __name__ == "__main__":
    program.run(sys.modules[__name__])
