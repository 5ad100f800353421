"""What coarser outputs hide: order, ties, costs, and what belongs together."""

import dataclasses
import functools
import pathlib

import numpy as np
import simulated_margins
import synthetic_outputs
from absl.testing import absltest, parameterized
from sklearn import metrics

from qmia_tf import outputs
from qmia_tf.auditing import form_leaks, target_audit
from qmia_tf.auditing.auxiliary import (
    Auxiliary,
    make_attack_inputs,
    unchecked_inputs,
)
from qmia_tf.outputs import output_forms
from qmia_tf.outputs.logits import log_sums, softmax
from qmia_tf.outputs.unread_outputs import UnreadOutputs

NAMES = ("label", "top_1", "one_digit", "two_digits", "full")


def leaks_of(outputs, auxiliary=None, *, seed=0):
    """The rows by form, and the audit."""
    auxiliary = auxiliary or Auxiliary()
    audited = target_audit.audit_target(
        make_attack_inputs(outputs, auxiliary, seed=seed)
    )
    audit, holder = audited.audit, audited.audit.holder
    families = [(audited.scores.scores, audit.leak, audit.strongest)]
    if holder.leak is not None:
        families.append((audited.holder_scores, holder.leak, holder.strongest))
    leaks = form_leaks.of_forms(
        outputs,
        auxiliary,
        *(
            form_leaks.Tested(scores, leak, strongest.attack)
            for scores, leak, strongest in families
        ),
        seed=seed,
    )
    return {x.form: x for x in leaks}, audit


class FormLeaksTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outputs = synthetic_outputs.outputs(
            4000, 4000, classes=10, gain=(4.0, 3.0), step=1 / 256
        )
        cls.leaks, cls.audit = leaks_of(cls.outputs)

    def test_every_form_is_there_the_coarsest_first(self):
        self.assertEqual(tuple(self.leaks), NAMES)

    def test_as_answered_it_is_the_audits_own_test(self):
        row, leak = self.leaks["full"], self.audit.leak
        self.assertEqual(
            (row.attack, row.auc, row.attacks),
            (leak.strongest, leak.auc, len(leak.attacks)),
        )
        self.assertEqual(row.tpr_at_fpr, [leak.at(0.01), leak.at(0.001)])
        self.assertIsNone(row.change)

    def test_coarser_outputs_leak_less(self):
        """The label much less; none surely more than what it is made of."""
        self.assertLess(
            self.leaks["label"].auc.high, self.leaks["full"].auc.low
        )
        self.assertLess(self.leaks["label"].change.high, -0.05)
        for form in NAMES[:-1]:
            with self.subTest(form):
                self.assertLess(self.leaks[form].change.low, 0.005)

    def test_labels_alone_have_no_low_rates(self):
        """The gap attack has one threshold: no record above the others."""
        label = self.leaks["label"]
        self.assertEqual((label.attack, label.attacks), ("gap", 1))
        self.assertEqual([x.attack for x in label.tpr_at_fpr], [None, None])

    def test_costs_on_nonmembers_by_scikit_learn(self):
        rows = ~self.outputs.members
        labels = self.outputs.labels[rows]
        right = self.outputs.predicted[rows] == labels
        for form, leak in self.leaks.items():
            self.assertAlmostEqual(leak.accuracy.value, right.mean())
            if form in ("label", "full"):
                continue
            shown = output_forms.COARSE[form](self.outputs)
            p = shown.probabilities[rows, labels].astype(np.float64)
            floor = {"top_1": 1 / 256 / 9, "one_digit": 0.1}.get(form, 0.01) / 2
            chosen = np.maximum(p, floor)
            # Two classes: "y" with p_y, and the others.
            expected = metrics.log_loss(
                np.ones(len(p)),
                np.stack([1 - chosen, chosen], axis=1),
                labels=[0, 1],
            )
            self.assertAlmostEqual(leak.log_loss, expected, places=5)
        self.assertIsNone(self.leaks["label"].log_loss)
        self.assertIsNone(self.leaks["label"].calibration_error)

    def test_the_top_probability_is_calibrated_as_answered(self):
        """The same number is seen: only its company is not."""
        top, queried = self.leaks["top_1"], self.leaks["full"]
        self.assertEqual(top.calibration_error, queried.calibration_error)

    def test_order_of_records_does_not_matter(self):
        rows = np.random.default_rng(1).permutation(len(self.outputs.labels))
        again, _ = leaks_of(self.outputs.take(rows))
        for form in NAMES:
            self.assertEqual(again[form].auc, self.leaks[form].auc)
            self.assertEqual(again[form].change, self.leaks[form].change)

    def test_without_a_leak_intervals_hold_chance(self):
        outputs = synthetic_outputs.outputs(400, 400, gain=(2.0, 2.0))
        leaks, audit = leaks_of(outputs)
        self.assertGreater(audit.leak.p_value, audit.leak.level)
        for leak in leaks.values():
            self.assertLessEqual(leak.auc.low, 0.5)
            for rate in leak.tpr_at_fpr:
                self.assertLessEqual(rate.tpr.low or 0, rate.rate)

    def test_ties_at_the_top_leave_no_threshold(self):
        """Half of both sides at p = 1: 1 % FPR can be attained by none."""
        outputs = synthetic_outputs.outputs(1000, 1000, classes=3, step=0.0)
        p = np.full((2000, 3), [0.25, 0.5, 0.25], np.float32)
        p[np.arange(2000) % 2 == 0] = [1.0, 0.0, 0.0]
        leaks, _ = leaks_of(dataclasses.replace(outputs, probabilities=p))
        for form in NAMES[1:]:
            rate = leaks[form].tpr_at_fpr[0]
            self.assertEqual(rate.rate, 0.01)
            if rate.attack is not None:
                self.assertFalse(rate.attained)


class KnowledgeTest(absltest.TestCase):
    def test_references_and_parent_are_in_the_same_form(self):
        everything = Auxiliary(
            references=tuple(
                synthetic_outputs.outputs(seed=seed, target=f"r{seed}")
                for seed in range(2)
            ),
            parent=synthetic_outputs.outputs(seed=3, target="parent"),
        )
        forms = form_leaks.coarse(everything.parent, everything, None)
        known = {x.form: x.auxiliary for x in forms}["one_digit"]
        for shown in (*known.references, known.parent):
            tenths = shown.probabilities * np.float32(10)
            np.testing.assert_array_equal(tenths, np.rint(tenths))

    def test_references_in_files_are_as_those_in_memory(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        target, rng = synthetic_outputs.outputs(), np.random.default_rng(0)
        known = Auxiliary(
            references=tuple(
                dataclasses.replace(
                    synthetic_outputs.outputs(seed=seed, target=f"r{seed}"),
                    labels=target.labels,
                    members=rng.permutation(target.members),
                    record_ids=target.record_ids,
                )
                for seed in range(2)
            ),
        )
        unread = []
        for one in known.references:
            path = folder / f"{one.target}.npz"
            one.save(path)
            read = functools.partial(outputs.load, path)
            unread.append(UnreadOutputs.checked(path, read))
        in_files = dataclasses.replace(
            known, references=tuple(unread), margins_folder=folder / "margins"
        )
        given = [
            [
                unchecked_inputs(x.outputs, x.auxiliary).references.margins
                for x in form_leaks.coarse(target, given, None)
            ]
            for given in (known, in_files)
        ]
        np.testing.assert_array_equal(*given)
        # Margins of rounded outputs are not kept for full ones.
        self.assertFalse((folder / "margins").exists())

    def test_attacks_with_references_run_on_every_form(self):
        inputs = simulated_margins.everything(members=60, nonmembers=60)
        rng = np.random.default_rng(0)
        logits = np.log(inputs.outputs.probabilities)
        references = tuple(
            dataclasses.replace(
                inputs.outputs,
                probabilities=softmax(logits + rng.normal(size=logits.shape)),
                members=inputs.references.inside[k],
                info={"target": f"r{k}"},
            )
            for k in range(len(inputs.references.margins))
        )
        leaks, audit = leaks_of(
            inputs.outputs, Auxiliary(references=references)
        )
        ran = {x.name for x in audit.attacks}
        self.assertIn("lira_online", ran)
        for form in NAMES[1:-1]:
            self.assertEqual(leaks[form].attacks, leaks["full"].attacks)


class HolderTest(absltest.TestCase):
    """A file whose int8 softmax hides what its exact logits tell."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rng = np.random.default_rng(0)
        exact = synthetic_outputs.outputs(2000, 2000, gain=(9.0, 7.0))
        logits = np.log(exact.probabilities.astype(np.float64))
        # To multiples of 1/2: members are told from others by less.
        cls.outputs = dataclasses.replace(
            exact,
            probabilities=output_forms.rounded(softmax(logits), 2),
            info={**exact.info, "probability_step": 0.5},
        )
        inside = simulated_margins.inside_of(exact)
        cls.exact = inside.outputs_of(cls.outputs)
        cls.leaks, cls.audit = leaks_of(
            cls.outputs, Auxiliary(inside=inside.take(rng.permutation(4000)))
        )

    def test_the_holder_has_three_rows_more(self):
        names = (*NAMES, "probabilities", "logits", "inside")
        self.assertEqual(tuple(self.leaks), names)

    def test_exact_logits_tell_what_rounding_hides(self):
        self.assertLess(
            self.leaks["full"].auc.high, self.leaks["logits"].auc.low
        )
        for form in ("probabilities", "logits", "inside"):
            self.assertGreater(self.leaks[form].change.low, 0)

    def test_the_last_row_is_the_holders_test(self):
        row, leak = self.leaks["inside"], self.audit.holder.leak
        self.assertEqual((row.attack, row.auc), (leak.strongest, leak.auc))

    def test_who_holds_the_model_gets_its_exact_numbers(self):
        rows = ~self.outputs.members
        chosen = np.take_along_axis(
            self.exact.logits[rows]
            - log_sums(self.exact.logits[rows])[:, None],
            self.outputs.labels[rows, None],
            axis=1,
        )
        for form in ("probabilities", "logits", "inside"):
            with self.subTest(form):
                self.assertAlmostEqual(
                    self.leaks[form].log_loss, -chosen.mean(), places=5
                )
                self.assertAlmostEqual(
                    self.leaks[form].accuracy.value,
                    np.mean(
                        self.exact.logits[rows].argmax(axis=1)
                        == self.outputs.labels[rows]
                    ),
                )


if __name__ == "__main__":
    absltest.main()
