r"""At equal nonmember accuracy, does quantization leak less?

    qmia compare --full=runs/full --quantized=runs/w4a4,runs/w2a2 \
        --out=matched

Needs runs of the same members, trained with qmia train --keep_every=1. Full
precision must have stored epochs; for the others they are optional. Queries
every stored epoch about each member and nonmember (RUN/outputs/epochs/, once).
Then compares each quantized model with full precision where that was as
accurate on the same nonmembers: at the nearest epoch, and between two.

Several seeds are paired in order: --full=a0,a1 --quantized=w4_0,w4_1,w2_0,w2_1.
Prints the table, and writes matched.txt, .csv, .json, .png, .svg and
matched_epochs.csv to --out. Takes some seconds a model on the digits, a minute
on CIFAR-10.
"""

from absl import flags

from qmia_tf import extras, quiet, terminal
from qmia_tf.programs import early_checks, flag_values, options

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_list("full", [], "full-precision run directories")
    flags.DEFINE_list("quantized", [], "run directories of quantized models")
    flags.DEFINE_string("out", None, "where to write")
    flags.DEFINE_boolean(
        "every_epoch", False, "compare every kept epoch of the quantized runs"
    )
    options.define_data_place()


def main(argv):
    """Compares as the flags say."""
    del argv
    names = ("full", "quantized", "out")
    full, quantized, out = map(flag_values.required, names)
    for run_dir in (*full, *quantized):
        early_checks.run(run_dir)
    # Without it the outputs of all epochs must be stored.
    if extras.is_installed("tensorflow"):
        quiet.start_tensorflow()
    from qmia_tf.experiments import configuration, run_comparison
    from qmia_tf.report import matching_tables

    leak_comparison = run_comparison.compare(
        full,
        quantized,
        options.load_run_data(configuration.read(full[0])),
        every_epoch=FLAGS.every_epoch,
        progress=terminal.say,
    )
    paths = matching_tables.write(leak_comparison, out)
    print(paths[0].read_text())
    print(f"{len(paths)} files in {out}:")
    for path in paths:
        print(f"  {path.name}")
