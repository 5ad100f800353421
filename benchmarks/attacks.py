"""How fast the attacks are, and how much memory they take, beside a peer.

    python benchmarks/attacks.py
    python benchmarks/attacks.py --nopeer --json=attacks.json

Five parts, on simulated outputs of a 10-class target:

    audit      every one-model attack with all intervals, 30,000 members and
               30,000 nonmembers: seconds, and the peak of a process that
               does nothing else
    threshold  loss, sweep, ROC and AUC of 50,000 + 10,000 records against
               tensorflow-privacy 0.8.12's run_attacks, THRESHOLD_ATTACK
    lira       50,000 records, 64 reference models, against its
               compute_score_lira
    rmia       25,000 records, a population of 10,000, against a table of
               all pairs
    growth     threshold attack, LiRA and RMIA at 10^4, 10^5 and 10^6 records

The peer's run_attacks computes its epsilon bound as well, ours DeLong's
interval. Memory: of the audit the resident peak of the process, of LiRA and
RMIA what NumPy allocates beside the inputs (tracemalloc).

Times are the best of several turns, one's own and the peer's taken in turn,
in one run: only the ratios mean something. The peer runs in an environment
of its own that is made in --work_dir at first (Python 3.11 only, 500 MB;
--nopeer leaves it out). Prints a line a figure. Takes three minutes on two
cores.
"""

import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import tracemalloc

import attacks_environment
import attacks_simulated as simulated
import numpy as np
from absl import flags

from qmia_tf.attacks import lira, losses, reference_moments, rmia
from qmia_tf.attacks.margin import margins
from qmia_tf.auditing import audit
from qmia_tf.edge import device
from qmia_tf.programs import program
from qmia_tf.statistics import (
    auc,
    held_out_thresholds,
    low_fpr_rates,
    operating_points,
)
from qmia_tf.statistics.sweep import sweep

CACHE = pathlib.Path.home() / ".cache" / "qmia_tf" / "attacks_peer"
PARTS = ("audit", "threshold", "lira", "rmia", "growth")
SIZES = (10_000, 100_000, 1_000_000)

PEER = flags.DEFINE_boolean("peer", True, "whether to run the peer")
WORK_DIR = flags.DEFINE_string("work_dir", str(CACHE), "peer's environment")
TURNS = flags.DEFINE_integer("turns", 5, "turns of each", lower_bound=1)
ONLY = flags.DEFINE_list("parts", list(PARTS), "which parts")
JSON = flags.DEFINE_string("json", None, "also write the figures here")
ALONE = flags.DEFINE_boolean("alone", False, "only audit once (inner use)")


def main(argv):
    """Measures the parts one after the other."""
    del argv
    if ALONE.value:
        return print(json.dumps(audit_alone()))
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in ONLY.value:
            figures[part] = globals()[f"measure_{part}"](pathlib.Path(folder))
            for name, figure in figures[part].items():
                print(f"{part:10}{name:38}{figure:.4g}", flush=True)
    if JSON.value:
        pathlib.Path(JSON.value).write_text(json.dumps(figures, indent=2))


def measure_audit(folder):
    """Runs this script in processes that only audit."""
    del folder
    command = [sys.executable, __file__, "--alone"]
    runs = []
    for _ in range(min(TURNS.value, 3)):
        done = subprocess.run(command, capture_output=True, check=True)
        runs.append(json.loads(done.stdout))
    return {name: min(run[name] for run in runs) for name in runs[0]}


def audit_alone():
    """One audit; seconds without imports, peak with them."""
    answers = simulated.outputs(30_000, 30_000)
    before = device.peak_memory()
    start = time.perf_counter()
    audit.audit(answers, tfprivacy=None)
    return {
        "seconds": time.perf_counter() - start,
        "MB at the peak": device.peak_memory() / 1e6,
        "MB before": before / 1e6,
    }


def measure_threshold(folder):
    """Loss, sweep and AUC against run_attacks."""
    answers = simulated.outputs(50_000, 10_000)
    simulated.save(
        folder,
        logits=answers.logits,
        labels=answers.labels,
        members=answers.members,
    )

    def ours():
        scores = -losses.losses(answers)
        curve = sweep(scores, answers.members)
        return curve, auc.auc(curve)

    figures = in_turns(ours, "threshold", folder)
    if PEER.value:
        _, area = ours()
        peer_auc = float(np.load(folder / "threshold_peer.npy"))
        figures["difference of AUC"] = abs(area.value - peer_auc)
    return figures


def measure_lira(folder):
    """Online scores against compute_score_lira."""
    inputs = simulated.attack_inputs(50_000, 64)
    simulated.save(
        folder,
        target=margins(inputs.outputs),
        margins=inputs.references.margins,
        inside=inputs.references.inside,
    )
    figures = in_turns(lambda: lira.online_scores(inputs), "lira", folder)
    figures["MB at the peak"] = allocated(lambda: lira.online_scores(inputs))
    if PEER.value:
        peer_scores = -np.load(folder / "lira_peer.npy")
        same = peers_rule(inputs)
        away = np.abs(same - peer_scores) / np.maximum(1, np.abs(peer_scores))
        figures["largest relative difference"] = float(away.max())
    return figures


def peers_rule(inputs):
    """Online scores with variances divided by n instead of n - 1."""
    sides = []
    references = inputs.references
    for mask in (references.inside, references.outside):
        side_moments = reference_moments.moments(references.margins, mask)
        spreads = lira.spreads(side_moments, 0.0, variance="per_record")
        shrink = np.sqrt((side_moments.counts - 1) / side_moments.counts)
        sides.append((side_moments.centers, spreads * shrink))
    return lira.likelihood_ratio(margins(inputs.outputs), *sides)


def measure_rmia(folder):
    """Shares of the population against the table of all pairs."""
    del folder
    inputs = simulated.attack_inputs(25_000, 8, population=10_000)
    rng = np.random.default_rng(1)
    records, population = rng.gamma(4, 0.25, 25_000), rng.gamma(4, 0.25, 10_000)

    def table():
        ratio = records[:, None] / population[None, :]
        return (ratio >= 1.0).mean(axis=1)

    def ours():
        return rmia.shares(np.log(records), np.log(population))

    figures = alternate({"seconds": ours, "table seconds": table})
    figures["times as fast"] = figures["table seconds"] / figures["seconds"]
    figures["scores that differ"] = int((table() != ours()).sum())
    whole = alternate(
        {
            "whole online attack, seconds": lambda: rmia.online_scores(inputs),
            "whole offline attack, seconds": lambda: rmia.offline_scores(
                inputs
            ),
        }
    )
    memory = {
        "MB at the peak": allocated(ours),
        "table, MB at the peak": allocated(table),
        "whole offline, MB at the peak": allocated(
            lambda: rmia.offline_scores(inputs)
        ),
    }
    return {**figures, **whole, **memory}


def measure_growth(folder):
    """Seconds at each size, and the exponent from one to the next."""
    del folder
    figures = {}
    for name, attack in (
        ("threshold", threshold_attack),
        ("LiRA", lira.online_scores),
        ("RMIA", rmia.online_scores),
    ):
        spent = []
        for size in SIZES:
            inputs = simulated.attack_inputs(size, 4)
            best = alternate({"seconds": lambda: attack(inputs)})["seconds"]  # noqa: B023
            spent.append(best)
            figures[f"{name}, {size} records, seconds"] = best
        figures |= exponents(name, spent)
    n_log_n = [size * np.log(size) for size in SIZES]
    return figures | exponents("N log N", n_log_n)


def exponents(name, seconds):
    """How time grows from each size to the next: N^exponent."""
    pairs = zip(
        itertools.pairwise(SIZES), itertools.pairwise(seconds), strict=True
    )
    return {
        f"{name}, exponent up to {sizes[1]}": simulated.exponent(sizes, spent)
        for sizes, spent in pairs
    }


def threshold_attack(inputs):
    """One score with everything that an audit says of it."""
    members = inputs.outputs.members
    scores = margins(inputs.outputs)
    curve = sweep(scores, members)
    operating_points.in_sample_points(curve, seed=0)
    held_out_thresholds.hold_out(curve, seed=0)
    low_fpr_rates.tpr_at_fpr(curve, seed=0)
    return auc.auc(curve)


def in_turns(ours, job, folder):
    """Best seconds of ours and, if wanted, of the peer's job."""
    contestants = {"seconds": ours}
    if not PEER.value:
        return alternate(contestants)
    peer = attacks_environment.Peer(WORK_DIR.value, folder)
    try:
        figures = alternate(contestants, lambda: peer.seconds(job))
    finally:
        peer.close()
    figures["times as fast"] = figures["peer seconds"] / figures["seconds"]
    return figures


def alternate(contestants, peer=None):
    """Best seconds of each; peer, which says its own seconds, last."""
    times = {name: [] for name in contestants}
    peer_seconds = []
    for _ in range(TURNS.value):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
        if peer:
            peer_seconds.append(peer())
    best = {name: min(spent) for name, spent in times.items()}
    return {**best, "peer seconds": min(peer_seconds)} if peer else best


def allocated(run):
    """MB that NumPy and Python allocate at once while it runs."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    program.run(sys.modules[__name__])
