"""Queries the models of a run and attacks what they answer.

    python scripts/attack.py --run_dir=runs/cifar_w4a4

Asks model.keras and every artifacts/*.tflite about each member and nonmember
(outputs/TARGET.npz), runs every attack, and writes audit.json and tfprivacy/
into --run_dir. Takes about a minute on the digits, some minutes on CIFAR-10.
"""

from absl import flags

from qmia_tf import options, program

RUN_DIR = flags.DEFINE_string("run_dir", None, "the run directory")
options.define_data_place()
options.define_attack()


def main(argv):
    """Queries and attacks as the flags say."""
    del argv
    run_dir = options.required("run_dir")
    program.start_tensorflow()
    from qmia_tf import configuration, experiment

    config = configuration.read(run_dir)
    dataset = options.load_data(
        name=config["dataset"]["name"], pool=config["dataset"]["pool"]
    )
    experiment.attack_run(run_dir, dataset, **options.attack())
    print(
        f"{run_dir}/audit.json is written; "
        f"python scripts/report.py --run_dirs={run_dir} shows it"
    )


if __name__ == "__main__":
    program.run(main)
