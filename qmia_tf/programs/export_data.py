r"""Writes the images of a run as one .npz for a device.

    qmia export_data --run_dir=runs/cifar_w4a4 \
        --out=edge/data.npz --records=2000

Writes uint8 images, labels, membership and record numbers of every member and
nonmember. --records=2000 takes so many: half of them members, every class with
its share. qmia edge reads the file on the device. Takes as long as loading the
data set, and some seconds to compress it.
"""

import pathlib

from absl import flags

from qmia_tf import quiet
from qmia_tf.errors import InputError
from qmia_tf.programs import early_checks, flag_values, options

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("run_dir", None, "the run directory")
    flags.DEFINE_string("out", None, "the .npz file to write")
    flags.DEFINE_integer(
        "records",
        None,
        "how many to draw, for a slow device; default: all",
        lower_bound=1,
    )
    flags.DEFINE_integer("seed", 0, "of that draw", lower_bound=0)
    options.define_data_place()


def main(argv):
    """Exports the data as the flags say."""
    del argv
    run_dir = pathlib.Path(flag_values.required("run_dir"))
    out = pathlib.Path(flag_values.required("out"))
    if out.suffix != ".npz":
        raise InputError(f"--out is an .npz file, got {out}")
    config = early_checks.run(run_dir, is_trained=False)
    quiet.start_tensorflow()
    from qmia_tf.data import draws
    from qmia_tf.edge import device_data
    from qmia_tf.experiments import training_run

    dataset = options.load_run_data(config)
    records = training_run.records_of(run_dir, dataset, config)
    if FLAGS.records is not None:
        records = draws.draw_exactly(records, FLAGS.records, seed=FLAGS.seed)
    device_data.save(records, out, run=run_dir.name)
    print(
        f"{out}: {records.members.sum():,} members, "
        f"{(~records.members).sum():,} nonmembers, "
        f"{out.stat().st_size / 1e6:.1f} MB"
    )
