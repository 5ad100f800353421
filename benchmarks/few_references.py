r"""What each reference attack finds with 2, 4, ..., 32 reference models.

    for bits in 32 4; do
      run=runs/cifar26/w${bits}a${bits}
      qmia train --run_dir=$run --dataset=cifar10 --pool=test \
          --recipe=paper_cifar10 --weight_bits=$bits --activation_bits=$bits \
          --width=16 --epochs=25 --batch_size=64 --optimizer=adam \
          --learning_rate=0.003 --schedule=cosine --crop_padding=0 --noflip
      qmia references --run_dir=$run --count=34 --executor=process
    done
    python benchmarks/few_references.py \
        --runs=runs/cifar26/w32a32,runs/cifar26/w4a4

The runs have references of the same seeds. A target is the first reference
model of each pair, and its references are those of the pairs behind its own.
So each record trained half of them, whether it is a member of the target or
not. Of the run itself only the references are read.

Measured for each attack of the table that takes references, for the gap and
the margin, which take none, and for each count: TPR at 0.1 % and 1 % FPR, and
AUC. Also for the last run with the first one's references: an attacker who
does not know the bits. Writes OUT, of which docs/figures/reference_counts.py
draws a figure. Takes a minute on a core; training takes 80.
"""

import dataclasses
import pathlib
import sys

import few_references_table as table
import numpy as np
from absl import flags

from qmia_tf import outputs as stored
from qmia_tf.attacks import ATTACKS
from qmia_tf.attacks.attack_inputs import AttackInputs, References
from qmia_tf.attacks.margin import margins
from qmia_tf.errors import InputError
from qmia_tf.programs import program
from qmia_tf.statistics.auc import auc_value
from qmia_tf.statistics.held_out_thresholds import calibration_half
from qmia_tf.statistics.low_fpr_rates import tpr_at_fpr

HERE = pathlib.Path(__file__).resolve().parent
RATES = (0.001, 0.01)
WITHOUT = ("gap", "margin")
FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_list("runs", [], "run directories with references/")
    flags.DEFINE_list("counts", [2, 4, 8, 16, 32], "references a target")
    flags.DEFINE_string("out", str(HERE / "few_references.json"), "to write")


@dataclasses.dataclass(frozen=True, eq=False)
class Models:
    """The reference models of a run, about the same records in one order.

    Attributes:
        outputs: of each of K models, by record id.
        members: bool [K, N].
    """

    outputs: list[stored.Outputs]
    members: np.ndarray
    known: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, run, count):
        """Loads the first `count` models, which come in pairs."""
        paths = sorted(pathlib.Path(run).glob("references/*/outputs/keras.npz"))
        some = [stored.load(path).in_record_order() for path in paths[:count]]
        members = np.array([x.members for x in some])
        if (members[::2] == members[1::2]).any():
            raise InputError(f"{run}: the references are not pairs")
        return cls(some, members)

    def margins(self, temperature):
        """The margins of every model, float32 [K, N], as an audit has them."""
        if temperature not in self.known:
            rows = [margins(x, temperature=temperature) for x in self.outputs]
            self.known[temperature] = np.array(rows, np.float32)
        return self.known[temperature]

    def references(self, rows) -> References:
        """Some of them as references."""
        return References(
            self.margins(1.0)[rows],
            self.members[rows],
            ~self.members[rows],
            lambda temperature: self.margins(temperature)[rows],
        )


def behind(target, count, models):
    """The `count` models of the pairs that follow the target's own, in turn.

    Raises: InputError if there are not so many.
    """
    if count > models - 2:
        raise InputError(
            f"{count} references and a target take {count + 2} models, and "
            f"there are {models}: train more, or give fewer --counts"
        )
    first = target // 2 * 2 + 2
    return [(first + step) % models for step in range(count)]


def measure(targets, references, counts):
    """Attacks the first model of each pair with those of other pairs.

    Args:
        targets: Models that are attacked.
        references: Models; their number k trained on the members of targets'.
    Returns: a dict a row: attack, references, and a list over targets of
        each metric.
    """
    number = len(targets.outputs)
    rows = []
    for count in (0, *counts):
        names = WITHOUT if not count else reference_attacks()
        values = {name: [] for name in names}
        for target in range(0, number, 2):
            inputs = inputs_of(targets, target, references, count)
            for name in names:
                scores = ATTACKS[name].scores(inputs)
                values[name].append(metrics(scores, inputs.outputs.members))
        for name, some in values.items():
            merged = {key: [x[key] for x in some] for key in some[0]}
            rows.append({"attack": name, "references": count, **merged})
    return rows


def inputs_of(targets, target, references, count) -> AttackInputs:
    """What attacks are given about one target."""
    outputs = targets.outputs[target]
    rows = behind(target, count, len(targets.outputs))
    return AttackInputs(
        outputs=outputs,
        calibration=calibration_half(outputs.members, seed=0),
        references=references.references(rows) if count else None,
    )


def reference_attacks():
    """The names of the attacks that need reference models and no more."""
    needs = {"probabilities", "references"}
    return [a.name for a in ATTACKS if set(a.needs) == needs]


def metrics(scores, members):
    """TPR at each of RATES, and the AUC."""
    tprs = tpr_at_fpr(scores, members, RATES, seed=0, draws=1)
    rates = {f"tpr_at_{x.rate:g}": x.tpr.value for x in tprs}
    return {**rates, "auc": float(auc_value(scores, members))}


def accuracies(models):
    """The mean accuracy on members and on nonmembers, a list over models."""
    right = np.array([x.predicted == x.labels for x in models.outputs])
    sides = {"members": models.members, "nonmembers": ~models.members}
    return {
        side: ((right & mask).sum(axis=1) / mask.sum(axis=1)).tolist()
        for side, mask in sides.items()
    }


def main(argv):
    """Measures, writes and draws."""
    del argv
    if not FLAGS.runs:
        raise InputError("--runs is needed: run directories with references/")
    counts = [int(count) for count in FLAGS.counts]
    names = [pathlib.Path(run).name for run in FLAGS.runs]
    have = [
        len([*pathlib.Path(run).glob("references/*/outputs/keras.npz")])
        for run in FLAGS.runs
    ]
    models = [Models.load(run, min(have) // 2 * 2) for run in FLAGS.runs]
    for other in models[1:]:
        if not np.array_equal(other.members, models[0].members):
            raise InputError("the runs' references are of other splits")
    pairs = {name: (own, own) for name, own in zip(names, models, strict=True)}
    if len(models) > 1:
        pairs[f"{names[-1]} by {names[0]}"] = models[-1], models[0]
    result = {
        "models": len(models[0].outputs),
        "records": int(models[0].members.shape[1]),
        "accuracy": {
            name: accuracies(own)
            for name, own in zip(names, models, strict=True)
        },
        "rows": {name: measure(*pair, counts) for name, pair in pairs.items()},
    }
    pathlib.Path(FLAGS.out).write_text(table.as_json(result))
    print(table.text(result))


if __name__ == "__main__":
    program.run(sys.modules[__name__])
