"""The first screen: the answer, the rows, the doubts, what to do."""

import dataclasses

import synthetic_audits
import tensorflow as tf
from absl.testing import parameterized
from report_runs import FULL, Reports
from synthetic_audits import changed

from qmia_tf.auditing import audit_result, leak_comparison, leak_test, verdict
from qmia_tf.auditing.audit_result import BlindBaseline, GateResult
from qmia_tf.report import first_screen, run_list, run_summary
from qmia_tf.statistics.intervals import Estimate

MILD = Estimate(0.56, 0.52, 0.6)


def screen_of(*targets, **fields):
    """The screen of one audit."""
    result = synthetic_audits.result(*targets, **fields)
    (screen,) = first_screen.screens([run_list.Run(result)])
    return screen


def target_of(kind, name="int8", **leak):
    """A target whose audit found this."""
    target = synthetic_audits.target(name)
    return synthetic_audits.with_leak(target, verdict=kind, **leak)


def rate(value, low, *, at=0.001, calls=5):
    return leak_test.LowRate(
        at, "entropy", Estimate(value, low, 0.2), calls, 3000, 3000
    )


class AnswerTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*verdict.LEAKS)
    def test_a_leak(self, kind):
        screen = screen_of(target_of(kind, auc=Estimate(0.77, 0.72, 0.81)))
        self.assertEqual(screen.verdict, kind)
        self.assertEqual(
            screen.sentences,
            [
                "Shown two records, one of which trained this model, an "
                "attacker picks the right one in 77 of 100 cases [72, 81]. A "
                "coin picks it in 50."
            ],
        )

    def test_a_leak_of_few_records_is_told_by_its_rate(self):
        (said,) = screen_of(
            target_of(
                verdict.SEVERE,
                auc=MILD,
                tpr_at_fpr=[rate(0.2, 0.1, at=0.01), rate(0.04, 0.03)],
            )
        ).sentences
        self.assertEqual(
            said,
            "An attacker finds 4 % [3, 20] of its training records while he "
            "accuses 0.1 % of other records wrongly. A guess finds 0.1 %.",
        )
        # Of an AUC that is enough for the verdict nothing else is said.
        (said,) = screen_of(
            target_of(verdict.SMALL, auc=MILD, tpr_at_fpr=[rate(0.04, 0.03)])
        ).sentences
        self.assertIn("56 of 100 cases [52, 60]", said)

    def test_no_leak(self):
        screen = screen_of(
            target_of(
                verdict.NO_LEAK,
                detectable=leak_test.Detectable(0.612, 0.6, 0.8, "margin"),
            )
        )
        self.assertEqual(
            screen.sentences,
            [
                "No attack tells which records trained this model. A leak that "
                "lets an attacker pick the right one of two records in 61 of "
                "100 cases would have been found four times in five."
            ],
        )

    def test_cannot_say(self):
        screen = screen_of(
            target_of(verdict.CANNOT_SAY, reasons=["a check failed", "too few"])
        )
        self.assertEqual(
            screen.sentences,
            [
                "This audit cannot say whether this model leaks: a check "
                "failed; too few."
            ],
        )

    def test_audits_of_earlier_versions(self):
        old = changed(synthetic_audits.target(records=400), leak=None)
        screen = screen_of(old)
        self.assertEqual(screen.verdict, first_screen.NO_VERDICT)
        self.assertEqual(screen.rows[0].auc, old.strongest.auc)
        self.assertStartsWith(screen.sentences[0], "Shown two records, ")
        self.assertIn("earlier version", screen.checks[0].text)

    @parameterized.parameters(
        (
            [verdict.CLEAR, verdict.NO_LEAK],
            "Of 2 models and files one is ",
        ),
        (
            [verdict.CLEAR] * 2,
            "All 2 models and files leak, 'b' with the highest AUC: ",
        ),
        (
            [verdict.CLEAR] * 2 + [verdict.CANNOT_SAY],
            "2 of 3 models and files leak, 'b' with the highest AUC: shown two "
            "records, one of which trained it, an attacker",
        ),
        ([verdict.NO_LEAK] * 2, "No attack tells which records trained 'a' or"),
        ([verdict.CANNOT_SAY] * 2, "This audit cannot say whether these 2 "),
        (
            [verdict.CANNOT_SAY, verdict.NO_LEAK],
            "This audit cannot say whether 'a' leaks: ",
        ),
    )
    def test_several(self, kinds, want):
        targets = [
            target_of(
                kind, name, auc=Estimate(0.6 + 0.1 * (name == "b"), 0.55, 0.8)
            )
            for name, kind in zip("abc", kinds, strict=False)
        ]
        screen = screen_of(*targets)
        self.assertStartsWith(screen.sentences[0], want)
        # A doubt stands above a good answer, and a leak above a doubt.
        self.assertEqual(
            screen.verdict, max(kinds, key=first_screen.RANK.index)
        )

    def test_rows_say_what_the_audit_says(self):
        target = synthetic_audits.target(records=400, gain=(4.0, 2.5))
        (row,) = screen_of(target).rows
        self.assertEqual(row.verdict, target.leak.verdict)
        self.assertEqual(row.auc, target.leak.auc)
        self.assertEqual(row.attack, target.attack(target.leak.strongest).title)
        self.assertEqual(row.found, target.leak.at(0.01).tpr)
        self.assertIsNone(row.change)

    def test_what_takes_more_nonmembers_is_not_given(self):
        target = synthetic_audits.target(records=100)
        screen = screen_of(target)
        self.assertIsNone(screen.rows[0].found)
        self.assertIn(
            "What is found at 1 % false alarms is not known: that takes 300 "
            "nonmembers.",
            [check.text for check in screen.checks],
        )


class ComparisonTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(
        (
            {"a": (0.05, 0.15), "b": (-0.15, -0.05), "c": (-0.05, 0.05)},
            "finds less in b and more in a than in float32; the other one is "
            "not shown to differ.",
        ),
        (
            {"a": (0.05, 0.15), "b": (0.05, 0.15)},
            "finds more in a and b than in float32.",
        ),
        ({"a": (-0.05, 0.05)}, "shows no difference from float32."),
    )
    def test_against_the_first(self, ends, want):
        first = synthetic_audits.target("float32")
        comparison = leak_comparison.LeakComparison(
            attack="margin",
            candidates=["margin"],
            first="float32",
            first_auc=0.6,
            differences=[
                leak_comparison.Difference(
                    name, 0.6, Estimate(sum(x) / 2, *x), 0.01
                )
                for name, x in ends.items()
            ],
        )
        others = [changed(first, target=name) for name in ends]
        screen = screen_of(first, *others, comparison=comparison)
        self.assertEqual(
            screen.sentences[1],
            f"The same attack on all (margin in logit space) {want}",
        )
        self.assertEqual(screen.compared_with, "float32")
        self.assertEqual(
            [row.change for row in screen.rows],
            [None, *(x.difference for x in comparison.differences)],
        )


class RunsTest(Reports):
    def test_against_full_precision(self):
        report = run_summary.collect(
            [
                self.run_of("full", FULL, gain=(5.0, 2.0)),
                self.run_of("w4a4", (4, 4), targets=("keras", "int8")),
            ]
        )
        (screen,) = report.screens
        self.assertEqual(report.name, "CIFAR-10")
        self.assertEqual(
            [row.name for row in screen.rows],
            ["full precision", "w=4, a=4", "w=4, a=4 as int8"],
        )
        self.assertEqual(screen.compared_with, "full precision")
        self.assertIsNone(screen.rows[0].change)
        self.assertIsNotNone(screen.rows[2].change.low)
        self.assertStartsWith(
            screen.sentences[1],
            "The same attack on all (largest confidence) ",
        )

    def test_one_screen_a_data_set(self):
        folders = [
            self.run_of("one", FULL),
            self.run_of("two", FULL, dataset="digits"),
        ]
        report = run_summary.collect(folders)
        self.assertEqual(report.name, "CIFAR-10, Digits")
        self.assertEqual(
            [x.dataset for x in report.screens], ["CIFAR-10", "Digits"]
        )
        self.assertEqual(run_summary.collect(folders, name="X").name, "X")

    def test_what_holds_for_all_runs_is_said_once(self):
        folders = [self.run_of("one", FULL), self.run_of("two", (4, 4))]
        (screen,) = run_summary.collect(folders).screens
        texts = [check.text for check in screen.checks]
        self.assertLen(set(texts), len(texts))
        self.assertLen([x for x in texts if "No reference models" in x], 1)
        # Which of both is meant is said where they differ.
        results = [audit_result.load(folder) for folder in folders]
        results[0] = changed(results[0], references=["r00"])
        (screen,) = run_summary.collect(results).screens
        texts = [check.text for check in screen.checks]
        self.assertIn(
            "two: No reference models: the strongest known attacks (LiRA, "
            "RMIA) were not run. The leak may be larger.",
            texts,
        )

    def test_warnings_stand_on_the_screen(self):
        bad = self.run_of("w1a1", (1, 1), gain=(0.0, 0.0))
        (screen,) = run_summary.collect([bad]).screens
        texts = [check.text for check in screen.checks]
        self.assertStartsWith(texts[0], "hardly better than guessing (20.0 %)")
        self.assertIn("Train until", " ".join(screen.next_steps))


class AdviceTest(parameterized.TestCase, tf.test.TestCase):
    def baseline(self, distinguishable):
        return BlindBaseline(
            auc=Estimate(0.7, 0.6, 0.8),
            distinguishable=distinguishable,
            features="the records",
            members=100,
            nonmembers=100,
            null_auc=0.5,
            p_value=0.001 if distinguishable else 0.4,
            classes_p_value=0.5,
            permutations=1000,
        )

    def test_members_that_differ_without_the_model(self):
        target = target_of(verdict.CANNOT_SAY)
        screen = screen_of(target, blind_baseline=self.baseline(True))
        (check,) = [x for x in screen.checks if "differ without" in x.text]
        self.assertFalse(check.fine)
        self.assertIn("AUC of 0.70 [0.60, 0.80]", check.text)
        self.assertStartsWith(screen.next_steps[0], "Draw members and ")
        fine = screen_of(target, blind_baseline=self.baseline(False))
        self.assertIn(
            True, [x.fine for x in fine.checks if "look alike" in x.text]
        )

    def test_limits_come_first(self):
        screen = screen_of(
            target_of(verdict.SMALL), blind_baseline=self.baseline(False)
        )
        fine = [check.fine for check in screen.checks]
        self.assertEqual(fine, sorted(fine))

    @parameterized.parameters((30, True), (60, False))
    def test_few_records(self, records, few):
        screen = screen_of(synthetic_audits.target(records=records))
        said = " ".join(screen.next_steps)
        self.assertEqual("Give more records: 20" in said, few)

    def test_overfitting(self):
        target = changed(
            target_of(verdict.CLEAR),
            accuracy_members=Estimate(1.0, 0.99, 1.0),
            accuracy_nonmembers=Estimate(0.7, 0.6, 0.8),
        )
        self.assertIn(
            "Overfit less: int8 is right on 100.0 % of its members and 70.0 % "
            "of the others. Augment, regularize or stop earlier.",
            screen_of(target).next_steps,
        )
        same = changed(target, accuracy_members=Estimate(0.72, 0.6, 0.8))
        self.assertNotIn("Overfit", " ".join(screen_of(same).next_steps))

    def test_a_limit_is_advised_where_there_is_none(self):
        target = target_of(verdict.NO_LEAK)
        self.assertIn("--fail_if_auc", screen_of(target).next_steps[-1])
        gate = GateResult("int8", "AUC <= 0.6", "failed", "AUC 0.7")
        screen = screen_of(target, gates=[gate])
        self.assertNotIn("--fail_if", " ".join(screen.next_steps))
        (limit,) = screen.limits
        self.assertEqual(
            dataclasses.asdict(limit),
            {"run": "scans", **dataclasses.asdict(gate)},
        )


if __name__ == "__main__":
    tf.test.main()
