"""Makes the small models of tflite_models/ again, or checks them.

    python scripts/make_tflite_models.py
    python scripts/make_tflite_models.py --check

Trains ResNet-18s of width 8 on the digits that scikit-learn bundles (full
precision, w4a4, w2a2), exports them, and writes the .tflite files, their
twins and manifest.json into --out. Takes about three minutes; killed and
started again it goes on. With --check it runs the files that are there and
compares hashes, accuracy and parity with the manifest: exit status 1 if
something differs.
"""

import sys

from absl import flags

from qmia_tf import program

OUT = flags.DEFINE_string("out", "tflite_models", "folder of the files")
WORK = flags.DEFINE_string("work", "runs/tflite_models", "folder of the runs")
CHECK = flags.DEFINE_boolean("check", False, "only check what is there")


def main(argv):
    """Makes or checks as the flags say."""
    del argv
    program.start_tensorflow()
    from qmia_tf import shipped

    if not CHECK.value:
        shipped.make(OUT.value, WORK.value)
    found = shipped.check(OUT.value)
    for line in found:
        print(line)
    if found:
        sys.exit(1)
    print(f"{OUT.value}: every file is what manifest.json says")


if __name__ == "__main__":
    program.run(main)
