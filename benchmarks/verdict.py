"""What the verdict finds, how often it is wrong, and what its intervals hold.

    python benchmarks/verdict.py
    python benchmarks/verdict.py --share=0.1 --out=/tmp/verdict.json

Three parts, on simulated audits of eight attacks that mostly say the same
(verdict_simulated.py), records split by class as this project does:

    audits      for leaks of AUC .50 (no leak: what is found is a false
                alarm), .52, .55 and .60 and one of few records, with 100 to
                10,000 records a side: how often a leak is found, and how
                often the intervals hold the truth. The new way: max-T
                permutation of all attacks (1,999 permutations), adjusted
                p <= .025; intervals that hold all at once, the chosen one
                being that which starts highest. The old way: the attack
                chosen on a half of the records, found where DeLong's
                interval on the other half lies above 1/2
    detectable  the smallest leak that an audit says it would have found with
                80 % power, and how often it is found
    seconds     of the permutations, 20 attacks, 10,000 + 10,000 and 30,000 +
                30,000 records; best of three

Writes OUT and the tables beside it, as .md. Takes 20 minutes on two cores;
--share makes fewer audits.
"""

import concurrent.futures
import functools
import json
import os
import pathlib
import sys
import time

import numpy as np
import threadpoolctl
import verdict_simulated as simulated
import verdict_table as table
from absl import flags

from qmia_tf.programs import program
from qmia_tf.statistics import (
    max_t_test,
    membership_permutations,
    power,
    simultaneous_intervals,
)
from qmia_tf.statistics.attack_selection import choose
from qmia_tf.statistics.auc import auc

HERE = pathlib.Path(__file__).resolve().parent
PERMUTATIONS = 1999
# Records a side, and audits of each leak.
AUDITS = {100: 1000, 200: 1000, 500: 1000, 2000: 400, 10_000: 100}
LEAKS = [simulated.Leak.of_auc(x) for x in (0.5, 0.52, 0.55, 0.6)]
LEAKS.append(simulated.FEW)
TIMED, ATTACKS = (10_000, 30_000), 20

PARTS = ("audits", "detectable", "seconds")
OUT = flags.DEFINE_string("out", str(HERE / "verdict.json"), "file to write")
SHARE = flags.DEFINE_float("share", 1.0, "of the audits to make", 0.0, 1.0)
WORKERS = flags.DEFINE_integer("workers", os.cpu_count(), "processes", 1)
ONLY = flags.DEFINE_list("parts", list(PARTS), "which parts; others stay")


def main(argv):
    """Measures the parts one after the other, and writes after each."""
    del argv
    path = pathlib.Path(OUT.value)
    rows_by_part = json.loads(path.read_text()) if path.exists() else {}
    with concurrent.futures.ProcessPoolExecutor(WORKERS.value) as pool:
        for part in ONLY.value:
            measure = globals()[f"measure_{part}"]
            rows_by_part[part] = measure(pool)
            path.write_text(json.dumps(rows_by_part, indent=2) + "\n")
    page = table.page(rows_by_part)
    path.with_suffix(".md").write_text(page)
    print(page)


def measure_audits(pool):
    """One row a leak and number of records."""
    rows = []
    for leak in LEAKS:
        for records, audits in AUDITS.items():
            seeds = range(max(2, round(audits * SHARE.value)))
            outcomes = list(
                pool.map(
                    functools.partial(one_audit, records, leak),
                    seeds,
                    chunksize=5,
                )
            )
            names = outcomes[0]
            means = {
                name: float(np.mean([x[name] for x in outcomes]))
                for name in names
            }
            row = {
                "leak": leak.name,
                "records": records,
                "audits": len(outcomes),
                **means,
            }
            print(row, flush=True)
            rows.append(row)
    return rows


def one_audit(records, leak, seed):
    """Judges one simulated audit in both ways."""
    audit = simulated.simulate(records, leak, seed=seed)
    with threadpoolctl.threadpool_limits(1):
        scores = audit.counted()
        test = tested(audit, seed)
        intervals = simultaneous_intervals.intervals(
            simultaneous_intervals.areas(scores, audit.members), seed=seed
        )
        old = choose(audit.scores, audit.members, audit.half)
        other_half = ~audit.half
        area = auc(audit.scores[old][other_half], audit.members[other_half])
    inside = {
        name: interval.low <= audit.truths[name] <= interval.high
        for name, interval in intervals.items()
    }
    new = max(intervals, key=lambda name: intervals[name].low)
    return {
        "found_old": area.low > 0.5,
        "found_new": test.p_value <= max_t_test.LEVEL,
        "covered_all": all(inside.values()),
        "covered_chosen": inside[new],
        "covered_old": area.low <= audit.truths[old] <= area.high,
        "width_new": intervals[new].high - intervals[new].low,
        "width_old": area.high - area.low,
    }


def tested(audit, seed):
    """The max-T test of a simulated audit."""
    return max_t_test.max_t(
        audit.counted(),
        audit.members,
        audit.strata,
        seed=seed,
        fixed=simulated.FIXED,
        permutations=PERMUTATIONS,
    )


def measure_detectable(pool):
    """What the margin's AUC would have been found at, and whether it is."""
    rows = []
    for records, audits in AUDITS.items():
        seeds = range(max(2, round(audits * SHARE.value)))
        work = functools.partial(said, records)
        area = float(np.median(list(pool.map(work, range(20)))))
        leak = simulated.Leak.of_auc(area)
        work = functools.partial(reached, records, leak)
        outcomes = np.array(list(pool.map(work, seeds, chunksize=5)))
        rows.append(
            {
                "records": records,
                "auc": area,
                "alone": float(outcomes[:, 0].mean()),
                "found": float(outcomes[:, 1].mean()),
                "audits": len(outcomes),
            }
        )
        print(rows[-1], flush=True)
    return rows


def said(records, seed):
    """The smallest AUC of the margin that would have been found."""
    audit = simulated.simulate(records, LEAKS[0], seed=seed)
    test = tested(audit, seed)
    [here] = [
        x for x in test.statistics if (x.attack, x.rate) == ("margin", None)
    ]
    layout = membership_permutations.Layout.of(audit.members, audit.strata)
    shares = layout.shares()
    return power.detectable_auc(
        test.critical,
        here.mean,
        here.deviation,
        records,
        records,
        moved=1 - shares[audit.members].mean() + shares[~audit.members].mean(),
    )


def reached(records, leak, seed):
    """Whether the margin's AUC, and whether anything, finds the leak."""
    test = tested(simulated.simulate(records, leak, seed=seed), seed)
    [here] = [
        x for x in test.statistics if (x.attack, x.rate) == ("margin", None)
    ]
    return here.t > test.critical, test.p_value <= max_t_test.LEVEL


def measure_seconds(pool):
    """Best of three of the whole test, on all cores of this machine."""
    del pool
    rows = []
    for records in TIMED:
        rng = np.random.default_rng(0)
        members = np.arange(2 * records) < records
        common = rng.normal(size=2 * records)
        half = rng.random(2 * records) < 0.5
        scores = {
            f"attack {row}": common + 0.5 * rng.normal(size=2 * records)
            for row in range(ATTACKS - 2)
        }
        scores["gap"] = (common > simulated.RIGHT).astype(np.float64)
        scores["learned"] = np.where(half, np.nan, common)
        labels = rng.integers(0, simulated.CLASSES, 2 * records)
        strata = membership_permutations.strata_of(labels, half)
        spent = []
        for _ in range(3):
            start, cpu = time.perf_counter(), time.process_time()
            test = max_t_test.max_t(
                scores, members, strata, seed=0, fixed=simulated.FIXED
            )
            spent.append(
                (time.perf_counter() - start, time.process_time() - cpu)
            )
        rows.append(
            {
                "records": records,
                "attacks": ATTACKS,
                "permutations": test.permutations,
                "seconds": min(wall for wall, _ in spent),
                "cpu_seconds": min(cpu for _, cpu in spent),
                "cores": os.cpu_count(),
            }
        )
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    program.run(sys.modules[__name__])
