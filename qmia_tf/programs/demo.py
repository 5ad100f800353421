"""Audits a .tflite file that comes with qmia_tf: what an audit looks like.

    qmia demo

The file is a ResNet-18 of 4 bits, 0.2 MB, trained on a quarter of the digits
of scikit-learn. 30 % of all labels, of members and nonmembers alike, were
replaced at random, so it could only learn them by heart: it leaks. Writes
outputs, audit.json and report/report.html into --out, and prints the verdict.
Takes some seconds; nothing is trained, nothing is downloaded, and TensorFlow
is not needed. `qmia audit` does the same with files of your own.
"""

import pathlib

from absl import flags

from qmia_tf import terminal
from qmia_tf.programs import flag_values

FLAGS = flags.FLAGS
# The same bytes lie in tflite_models/ of a checkout, which says how they are
# made.
FOLDER = pathlib.Path(__file__).with_name("demo_files")
MODEL = FOLDER / "digits_memorizing_w4a4_int8.tflite"
MEMBERS = FOLDER / "digits_memorizing_members.npz"
NONMEMBERS = FOLDER / "digits_memorizing_nonmembers.npz"


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("out", "qmia_demo", "folder to write to")


def main(argv):
    """Audits the shipped file and reports."""
    del argv
    out = flag_values.required("out")
    import qmia_tf
    from qmia_tf import locks, report

    terminal.say(f"auditing {MODEL.name}")
    with locks.writing(f"{out}/audit.json"):
        result = qmia_tf.audit(
            str(MODEL),
            str(MEMBERS),
            str(NONMEMBERS),
            out=out,
            tfprivacy="off",
            pictures="on",
            progress=None,
        )
        paths = report.make_report([out], f"{out}/report", formats=["html"])
    print(f"\n{result}\n")
    print(f"the page with all of it: {paths[1]}")
    print("qmia audit does the same with files of your own")
