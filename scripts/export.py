"""Writes a trained run as .tflite files.

    python scripts/export.py --run_dir=runs/cifar_w4a4 --schemes=float32

Writes artifacts/SCHEME.tflite and artifacts/manifest.json (hash, size, ops,
types, versions) into --run_dir. Takes some seconds a file.
"""

from absl import flags

from qmia_tf import options, program

RUN_DIR = flags.DEFINE_string("run_dir", None, "the run directory")
SCHEMES = flags.DEFINE_list("schemes", ["float32"], "which files to make")


def main(argv):
    """Exports as the flags say."""
    del argv
    run_dir = options.required("run_dir")
    program.start_tensorflow()
    from qmia_tf import experiment

    for entry in experiment.export_run(run_dir, schemes=SCHEMES.value):
        print(
            f"{run_dir}/artifacts/{entry['file']}: "
            f"{entry['size_bytes'] / 1e6:.2f} MB, "
            f"{sum(entry['ops'].values())} ops"
        )


if __name__ == "__main__":
    program.run(main)
