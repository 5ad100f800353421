"""tensorflow-privacy 0.8.12 in the side environment of attacks.py.

Started by benchmarks/attacks.py with that environment's Python:

    python attacks_peer.py WHEEL_FOLDER DATA_FOLDER

Reads one line at a time, "threshold" or "lira"; runs that once on the arrays of
DATA_FOLDER, writes threshold_peer.npy (AUC) or lira_peer.npy (scores) there and
answers with the seconds it took, without the reading and the imports.
"""

import importlib
import pathlib
import sys
import time
import types

import numpy as np

MODULES = "privacy.privacy_tests.membership_inference_attack"


def main(wheel, folder):
    """Answers each line of standard input with a line."""
    # The package's own __init__ would import TensorFlow.
    for name in ("tensorflow_privacy", "tensorflow_privacy.privacy"):
        bare = types.ModuleType(name)
        bare.__path__ = [str(pathlib.Path(wheel, *name.split(".")))]
        sys.modules[name] = bare
    run_by_name = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in run_by_name:
            run_by_name[name] = {"threshold": threshold, "lira": lira}[name](
                folder
            )
        start = time.perf_counter()
        scores = run_by_name[name]()
        spent = time.perf_counter() - start
        np.save(pathlib.Path(folder, f"{name}_peer.npy"), scores)
        print(spent, flush=True)


def threshold(folder):
    """run_attacks, THRESHOLD_ATTACK only, on logits."""
    data = load("data_structures")
    attack = load("membership_inference_attack")
    logits, labels, members = read(folder, "logits", "labels", "members")
    attack_input = data.AttackInputData(
        logits_train=logits[members],
        logits_test=logits[~members],
        labels_train=labels[members],
        labels_test=labels[~members],
    )
    kinds = [data.AttackType.THRESHOLD_ATTACK]

    def run():
        attack_results = attack.run_attacks(attack_input, attack_types=kinds)
        return attack_results.single_attack_results[0].get_auc()

    return run


def lira(folder):
    """compute_score_lira with a record's own variances, in- and out-models."""
    advanced_mia = load("advanced_mia")
    target, margins, inside = read(folder, "target", "margins", "inside")
    columns, masks = margins.T, inside.T
    in_margins = [c[m][:, None] for c, m in zip(columns, masks, strict=True)]
    out_margins = [c[~m][:, None] for c, m in zip(columns, masks, strict=True)]

    def run():
        return advanced_mia.compute_score_lira(
            target[:, None],
            in_margins,
            out_margins,
            "both",
            median_or_mean="mean",
        )

    return run


def load(module):
    """Imports one of the membership-inference modules."""
    return importlib.import_module(f"tensorflow_privacy.{MODULES}.{module}")


def read(folder, *names):
    """Reads arrays of the folder."""
    return [np.load(pathlib.Path(folder, f"{name}.npy")) for name in names]


if __name__ == "__main__":
    main(*sys.argv[1:])
