"""The parts of benchmarks/verdict.py that can be wrong without being slow."""

import json
import pathlib
import sys
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats
from sklearn import metrics

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
with mock.patch.object(sys, "path", [str(BENCHMARKS), *sys.path]):
    import verdict_simulated
    import verdict_table

LEAKS = {
    "none": verdict_simulated.Leak.of_auc(0.5),
    "all": verdict_simulated.Leak.of_auc(0.6),
    "few": verdict_simulated.FEW,
}


class SimulatedTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*LEAKS)
    def test_truths_are_what_many_records_have(self, name):
        simulated = verdict_simulated.simulate(60_000, LEAKS[name], seed=1)
        self.assertEqual(simulated.truths.keys(), simulated.scores.keys())
        for attack, scores in simulated.counted().items():
            rows = ~np.isnan(scores)
            area = metrics.roc_auc_score(simulated.members[rows], scores[rows])
            # Five standard deviations of 30,000 + 30,000.
            self.assertAllClose(
                area, simulated.truths[attack], atol=0.012, msg=attack
            )

    def test_leaks(self):
        self.assertAllClose(
            [
                verdict_simulated.true_auc(lambda m: m, leak)
                for leak in LEAKS.values()
            ],
            # One member in a hundred stands above everybody.
            [0.5, 0.6, 0.505],
            atol=1e-4,
        )

    def test_an_audit(self):
        simulated = verdict_simulated.simulate(100, LEAKS["few"], seed=0)
        self.assertEqual(simulated.members.sum(), 100)
        margins = simulated.scores["margin"]
        self.assertEqual(np.sum(margins > 5), 1)
        self.assertTrue(simulated.members[margins > 5].all())
        counted = simulated.counted()
        self.assertAllEqual(np.isnan(counted["likelihood"]), simulated.half)
        self.assertFalse(
            any(np.isnan(x).any() for x in simulated.scores.values())
        )


class StoredTest(tf.test.TestCase):
    """What is stored, and what the page says of it."""

    def setUp(self):
        super().setUp()
        self.results = json.loads((BENCHMARKS / "verdict.json").read_text())

    def test_stored_page_and_rows_of_the_documents(self):
        stored = (BENCHMARKS / "verdict.md").read_text()
        self.assertEqual(stored, verdict_table.page(self.results))
        document = (ROOT / "docs" / "verdict.md").read_text()
        self.assertIn(
            verdict_table.detectable(self.results["detectable"]), document
        )
        # Of the larger table the rows of 2,000 records a side.
        rows = [
            line
            for line in verdict_table.power(self.results["audits"]).split("\n")
            if "| 2,000 |" in line
        ]
        self.assertLen(rows, 5)
        self.assertIn("\n".join(rows), document)

    def test_false_alarms_and_coverage_are_as_claimed(self):
        """Within the 0.01 % points of the binomial; there are 25 rows."""
        for row in self.results["audits"]:
            audits = row["audits"]
            least = stats.binom.ppf(1e-4, audits, 0.95) / audits
            self.assertGreaterEqual(row["covered_all"], least, row)
            self.assertGreaterEqual(row["covered_chosen"], least, row)
            if row["leak"] == "AUC 0.5":
                most = stats.binom.ppf(1 - 1e-4, audits, 0.025) / audits
                self.assertLessEqual(row["found_new"], most, row)
        for row in self.results["seconds"]:
            limit = {10_000: 2.0, 30_000: 4.0}[row["records"]]
            self.assertLessEqual(row["seconds"], limit)


if __name__ == "__main__":
    tf.test.main()
