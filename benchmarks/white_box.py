"""How often who holds a model is said to find a leak that is not there.

    python benchmarks/white_box.py
    python benchmarks/white_box.py --audits=100

Simulated audits without a leak: 200 records of 5 classes, half of them
members, with activations that say nothing. Each runs the attacks of the
holder that need no reference models and the test over them, 999 permutations.
Prints in how many the trained attacker alone, by DeLong's one-sided test, and
the whole family find a leak at the level of an audit, .025. 300 audits took 20
minutes on two busy cores.
"""

import pathlib
import sys

import numpy as np
from absl import flags
from scipy import stats

from qmia_tf import terminal
from qmia_tf.attacks import ATTACKS
from qmia_tf.programs import program
from qmia_tf.statistics import max_t_test, membership_permutations
from qmia_tf.statistics.auc import auc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))
import simulated_margins  # noqa: E402

AUDITS = flags.DEFINE_integer("audits", 1000, "simulated audits")
SIDE, PERMUTATIONS = 100, 999
NAMES = ("exact_margin", "exact_likelihood", "gradient_norm", "white_box")


def audit(seed):
    """One audit: the trained attacker's p-value, and the family's."""
    inputs = simulated_margins.everything(
        members=SIDE, nonmembers=SIDE, gain=(2.0, 2.0), seed=seed
    )
    members, half = inputs.outputs.members, inputs.calibration
    scores = {}
    for name in NAMES:
        attack = ATTACKS[name]
        judged = np.where(half & attack.learns, np.nan, attack.scores(inputs))
        scores[name] = judged
    area = auc(scores["white_box"][~half], members[~half], level=0.95)
    groups = membership_permutations.strata_of(
        inputs.outputs.labels, half, by_class=True
    )
    tested = max_t_test.max_t(
        scores, members, groups, seed=seed, permutations=PERMUTATIONS
    )
    return area.low > 0.5, tested.p_value <= tested.level


def main(argv):
    """Simulates and counts."""
    del argv
    count = AUDITS.value
    bar = terminal.bar(range(count), desc="audits", unit="audit")
    is_alarm = np.array([audit(seed) for seed in bar])
    for name, hits in zip(
        ("trained attacker", "family"), is_alarm.T, strict=True
    ):
        interval = stats.binomtest(int(hits.sum()), count).proportion_ci()
        print(
            f"{name}: {hits.sum()} of {count} false alarms, "
            f"{100 * hits.mean():.1f} % "
            f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]; "
            "level 2.5 %"
        )


if __name__ == "__main__":
    program.run(sys.modules[__name__])
