"""Members that a model serves worse than nonmembers, and chance."""

import dataclasses

import numpy as np
import synthetic_outputs
from absl.testing import absltest, parameterized
from report_runs import Reports
from scipy import stats

from qmia_tf.auditing import audit, audit_result, member_accuracy
from qmia_tf.report import verdict_sentences


def audited(members=300, nonmembers=300, *, gain, seed=0, target="keras"):
    """The audit of a network whose true logits get so much, members first."""
    outputs = synthetic_outputs.outputs(
        members, nonmembers, gain=gain, seed=seed, target=target
    )
    return audit.audit(outputs)


class SignTest(parameterized.TestCase):
    def test_accuracy(self):
        target = audited(gain=(1.0, 3.0))
        one, other = (
            f"{100 * rate.value:.1f} %"
            for rate in (target.accuracy_members, target.accuracy_nonmembers)
        )
        self.assertEqual(
            member_accuracy.sign(target),
            f"is right on {one} of the members and {other} of the nonmembers",
        )

    def test_confidence_where_accuracies_tie(self):
        target = audited(gain=(9.0, 12.0))
        self.assertEqual(target.accuracy_members.value, 1)
        self.assertEqual(target.accuracy_nonmembers.value, 1)
        self.assertRegex(
            member_accuracy.sign(target),
            r"less confidence for members than for nonmembers .AUC 0\.[01]",
        )

    def test_an_accuracy_that_says_the_opposite(self):
        """Right more often, but less sure: augmentation may do that."""
        target = audited(gain=(9.0, 12.0))
        more = dataclasses.replace(
            target.accuracy_nonmembers, value=0.9, low=0.8, high=0.95
        )
        changed = dataclasses.replace(target, accuracy_nonmembers=more)
        self.assertEqual(member_accuracy.sign(changed), "")

    @parameterized.parameters(
        (300, 300, (3.0, 2.0)), (300, 300, (3.0, 1.0)), (5, 5, (0.0, 9.0)),
        (2, 20, (0.0, 9.0)), (20, 2, (0.0, 9.0)),
    )  # fmt: skip
    def test_nothing_is_said(self, members, nonmembers, gain):
        target = audited(members, nonmembers, gain=gain)
        self.assertEqual(member_accuracy.sign(target), "")

    def test_equal_sides_are_seldom_called_so(self):
        """Of 300 audits 0.3 are expected; four have a chance of 1 in 2,900."""
        said = 0
        for seed in range(300):
            outputs = synthetic_outputs.outputs(
                40, 40, gain=(2.0, 2.0), seed=seed
            )
            right = outputs.predicted == outputs.labels
            own = outputs.probabilities[np.arange(80), outputs.labels]
            auc = stats.mannwhitneyu(
                own[outputs.members], own[~outputs.members]
            )
            inside = int(right[outputs.members].sum())
            outside = int(right[~outputs.members].sum())
            level = member_accuracy.LEVEL / 2
            said += (
                member_accuracy.fisher(inside, outside, 40, 40) <= level
                or member_accuracy.rank_sum(auc.statistic / 1600, 40, 40)
                <= level
            )
        self.assertLess(said, 4)


class LevelTest(parameterized.TestCase):
    @parameterized.parameters((12, 20, 30, 25), (0, 5, 5, 5), (40, 41, 50, 50))
    def test_fisher_equals_scipy(self, first, second, one, other):
        table = [[first, one - first], [second, other - second]]
        wanted = stats.fisher_exact(table, alternative="less").pvalue
        p_value = member_accuracy.fisher(first, second, one, other)
        np.testing.assert_allclose(p_value, wanted, rtol=1e-9)

    @parameterized.parameters(0.1, 0.5, 0.9, 0.98)
    def test_fisher_keeps_its_level(self, rate):
        """Summed over all that can happen where both sides have one rate."""
        one, other, level = 30, 20, 5e-4
        first, second = np.mgrid[: one + 1, : other + 1]
        chance = stats.binom.pmf(first, one, rate)
        chance = chance * stats.binom.pmf(second, other, rate)
        said = np.vectorize(member_accuracy.fisher)(first, second, one, other)
        self.assertLessEqual(chance[said <= level].sum(), level)

    @parameterized.parameters((200, 300), (60, 50), (30, 30))
    def test_rank_sum_equals_scipy(self, members, nonmembers):
        rng = np.random.default_rng(0)
        one, other = rng.normal(size=members) - 0.5, rng.normal(size=nonmembers)
        rank_test = stats.mannwhitneyu(
            one, other, alternative="less", method="asymptotic",
            use_continuity=False,
        )  # fmt: skip
        auc = rank_test.statistic / (members * nonmembers)
        np.testing.assert_allclose(
            member_accuracy.rank_sum(auc, members, nonmembers), rank_test.pvalue
        )


class SaidTest(Reports):
    def test_in_the_log_of_the_audit(self):
        for gain, said in (((1.0, 3.0), 1), ((3.0, 2.0), 0)):
            lines = []
            outputs = synthetic_outputs.outputs(200, 200, gain=gain)
            audit.audit_outputs(
                self.create_tempdir().full_path,
                [outputs],
                run_config={},
                progress=lines.append,
            )
            warnings = [
                x for x in lines if x.startswith("warning: members are")
            ]
            self.assertLen(warnings, said)

    def test_in_the_verdict_and_on_the_report(self):
        bad = self.run_of("w4a4", (4, 4), gain=(0.5, 5.0))
        good = self.run_of("w2a2", (2, 2), gain=(4.0, 3.0))
        said = (
            "members are served clearly worse than nonmembers: keras is right"
        )
        (line,) = [
            x
            for x in verdict_sentences.verdict(audit_result.load(bad))
            if said in x
        ]
        self.assertStartsWith(line, "Warning: members are")
        self.assertEndsWith(line, "the audit measures that too.")
        self.assertNotIn(
            said, " ".join(verdict_sentences.verdict(audit_result.load(good)))
        )
        (line,) = [x for x in self.warnings(bad, good) if said in x]
        self.assertIn("w4a4", line.partition(":")[0])
        self.assertIn("served clearly worse", self.report(bad))


if __name__ == "__main__":
    absltest.main()
