"""Queries the models of a run and attacks their outputs.

    qmia attack --run_dir=runs/cifar_w4a4 --kernels=default

Queries model.keras, every artifacts/*.tflite under each of --kernels, and the
integer twins about each member and nonmember (outputs/TARGET.npz). Runs every
attack, and writes audit.json and tfprivacy/ into --run_dir. A file that some
kernels cannot run is left out, and a line says so.

- --outputs=pi4.npz audits, with the rest, the outputs that qmia edge saved on
  another machine.
- Reference models for LiRA, RMIA and difficulty calibration are those that
  qmia references trained for the run. --references=RUN,RUN2 gives others: runs
  on other halves of the same data.
- Where there are references of other bits (qmia references --reference_bits),
  audit.json also says what knowing the bits is worth.
  --mismatched_references=FOLDER gives those of another run, such as the
  references/ of the full-precision run of the same seeds.
- --parent=RUN is the full-precision run on the same members.
- --fail_if_auc_above and --fail_if_tpr_above end the program with status 1 if
  an artefact gives away more, with the whole interval of its strongest attack.
- --fail_if_cannot_detect ends it with status 3 if a leak of that AUC would
  have been missed. So does every limit that cannot be judged.
- --pictures says whether audit.json shows the members at highest risk, which
  are training records.

What qmia parity found of the files, before this, goes into audit.json as well.
Takes about a minute on the digits, some minutes on CIFAR-10.
"""

from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import early_checks, flag_values, gate_options, options

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("run_dir", None, "the run directory")
    flags.DEFINE_string(
        "name", None, "what the report calls it; default: the directory's name"
    )
    flags.DEFINE_list(
        "outputs", [], ".npz files of outputs saved on another machine"
    )
    flags.DEFINE_list(
        "references",
        None,
        "run directories, folders of them, or .npz files of outputs, of "
        "reference models; default: the run's own references/",
    )
    flags.DEFINE_list(
        "mismatched_references",
        None,
        "the same, of models of other bits than the run's; default: the run's "
        "own references_wWaA/",
    )
    flags.DEFINE_string(
        "parent", None, "the full-precision run on the same members"
    )
    options.define_data_place()
    options.define_attack()
    gate_options.define_flags()


def main(argv):
    """Queries and attacks as the flags say."""
    del argv
    run_dir = flag_values.required("run_dir")
    limits, attack = gate_options.limits(), options.attack()
    early_checks.run(run_dir)
    for path in FLAGS.outputs:
        early_checks.require_outputs(path)
    early_checks.runs_or_outputs(FLAGS.references or ())
    early_checks.runs_or_outputs(FLAGS.mismatched_references or ())
    if FLAGS.parent:
        early_checks.run(FLAGS.parent, with_data=False, is_trained=False)
    quiet.start_tensorflow()
    from qmia_tf import locks
    from qmia_tf.experiments import configuration, run
    from qmia_tf.report import gates, phrases, verdict_sentences

    config = configuration.read(run_dir)
    dataset = options.load_run_data(config)
    with locks.writing(f"{run_dir}/audit.json"):
        result = run.attack_run(
            run_dir,
            dataset,
            name=FLAGS.name,
            device_outputs=FLAGS.outputs,
            references=FLAGS.references,
            mismatched_references=FLAGS.mismatched_references,
            parent=FLAGS.parent,
            **attack,
        )
        result = gates.record(result, f"{run_dir}/audit.json", **limits)
    text = phrases.as_text(
        [*verdict_sentences.short(result), verdict_sentences.INTERVALS]
    )
    print(f"\n{text}\n")
    print(
        f"{run_dir}/audit.json is written; "
        f"qmia report --run_dirs={run_dir} --out=report shows it"
    )
    gate_options.end_program(result.gates)
