"""Disturbs every stage and compares its results with an undisturbed run.

    bash scripts/chaos.sh --kills=5
    bash scripts/chaos.sh --stages=train,export --kills=20 --seed=1

Trains, exports, attacks, audits and reports small models. Kills each stage at
random moments, by the clock and while it writes a file, with SIGKILL and
SIGTERM in turn; fills the disk (a small tmpfs where root may mount one, else a
limit on the size of files); takes permissions away (as nobody where root
starts it). Then runs the same command again and compares all files with those
of an undisturbed run, value by value; times and versions do not count. Prints
a table. Exit status 1 if something differs; what was wrong stays in --out.
Takes about a minute of two free cores a kill and stage.
"""

import os
import pathlib
import shutil
import signal
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
for _folder in (HERE.parents[1], HERE.parent):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import chaos_rounds  # noqa: E402
import stages  # noqa: E402
from absl import flags  # noqa: E402

from qmia_tf.errors import InputError  # noqa: E402
from qmia_tf.programs import program  # noqa: E402

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_list(
        "stages", list(stages.STAGES), "which stages are disturbed"
    )
    flags.DEFINE_integer("kills", 1, "kills a stage", lower_bound=0)
    flags.DEFINE_integer("disks", 1, "full disks a stage", lower_bound=0)
    flags.DEFINE_integer(
        "permissions", 1, "permissions taken away a stage", lower_bound=0
    )
    flags.DEFINE_integer("seed", 0, "draws the moments")
    flags.DEFINE_string(
        "out", None, "folder to work in; default: a temporary one"
    )


def main(argv):
    """Disturbs as the flags say."""
    del argv
    # Small disks are unmounted, and processes ended, on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    unknown = set(FLAGS.stages) - set(stages.STAGES)
    if unknown:
        raise InputError(
            f"unknown stage {min(unknown)!r}: choose from "
            f"{', '.join(stages.STAGES)}"
        )
    folder = pathlib.Path(FLAGS.out or tempfile.mkdtemp(prefix="qmia_chaos_"))
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty: name another --out")
    folder.mkdir(parents=True, exist_ok=True)
    # Another user works there too.
    os.chmod(folder, 0o755)
    outcomes = chaos_rounds.disturb(
        FLAGS.stages,
        folder.resolve(),
        kills=FLAGS.kills,
        disks=FLAGS.disks,
        permissions=FLAGS.permissions,
        seed=FLAGS.seed,
    )
    print(chaos_rounds.table(outcomes))
    if all(outcome.is_good for outcome in outcomes):
        shutil.rmtree(folder)
        return
    print(f"what was wrong is in {folder}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    program.run(sys.modules[__name__])
