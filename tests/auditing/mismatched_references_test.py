"""What knowing the bits is worth, where it is known by simulation."""

import dataclasses

import numpy as np
import slow_tests
import tensorflow as tf
from absl.testing import parameterized
from scipy import stats
from simulated_references import (
    FLOAT,
    LEAK,
    LEVEL,
    MATCHED,
    MODELS,
    RECORDS,
    simulate,
)

from qmia_tf import typed_json
from qmia_tf.auditing import audit, mismatched_references
from qmia_tf.auditing.audit_config import AuditConfig
from qmia_tf.auditing.auxiliary import (
    Auxiliary,
    ReferenceModels,
    make_attack_inputs,
)
from qmia_tf.errors import InputError


def compare(outputs, auxiliary, **config):
    inputs = make_attack_inputs(outputs, auxiliary)
    return mismatched_references.compare(
        inputs, outputs, auxiliary, AuditConfig(**config)
    )


# Difficulty calibration: the target's margin less the mean of half of the
# models, which never saw the record. Its variance with either kind.
NOISE = 1 + 1 / (MODELS / 2)
VARIANCES = NOISE, NOISE + 2 * LEVEL**2


def worth(measure):
    """The known gain; measure is of normal scores, their means so far apart."""
    known, unknown = (measure(LEAK / np.sqrt(x)) for x in VARIANCES)
    return known - unknown


def holds(interval, value):
    return interval.low <= value <= interval.high


class WorthTest(parameterized.TestCase, tf.test.TestCase):
    def check_known_worth(self, simulations):
        areas = worth(lambda apart: stats.norm.cdf(apart / np.sqrt(2)))
        gains, inside, sure = [], {"AUC": 0, 0.01: 0, 0.001: 0}, 0
        for seed in range(simulations):
            (known,) = compare(*simulate(seed))
            (one,) = [x for x in known.attacks if x.attack == "difficulty"]
            gains.append(one.difference.value)
            inside["AUC"] += holds(one.difference, areas)
            for x in one.rates:
                rate = x.matched.rate
                tail = stats.norm.isf(rate)
                rates = worth(lambda apart, t=tail: stats.norm.sf(t - apart))
                inside[rate] += holds(x.difference, rates)
                self.assertAlmostEqual(
                    x.difference.value,
                    x.matched.tpr.value - x.mismatched.tpr.value,
                )
            sure += known.gain.low > 0 and known.p_value < 0.05
        # One gain has a standard deviation of about 0.026.
        self.assertAllClose(
            np.mean(gains), areas, atol=0.09 / np.sqrt(simulations)
        )
        self.assertEqual(sure, simulations)
        self.check_counts(inside, simulations)

    def check_no_worth(self, simulations):
        inside = dict.fromkeys(("gain", "p", 0.01, 0.001), 0)
        for seed in range(simulations):
            (known,) = compare(*simulate(seed, known=1.0))
            inside["gain"] += holds(known.gain, 0)
            inside["p"] += known.p_value > 0.05
            for rate in known.strongest.rates:
                inside[rate.matched.rate] += holds(rate.difference, 0)
        self.check_counts(inside, simulations)

    def check_counts(self, counts, simulations):
        """At least as many as 95 % give in all but one of 1,000 tests."""
        least = stats.binom.ppf(0.001, simulations, 0.95)
        for name, count in counts.items():
            self.assertGreaterEqual(count, least, name)

    def test_what_it_is_worth(self):
        """The gain of difficulty calibration follows from the variances."""
        self.check_known_worth(10)

    def test_worth_nothing(self):
        """The interval for any choice of the attack holds 0 at its rate."""
        self.check_no_worth(20)

    @slow_tests.slow
    def test_slowly(self):
        self.check_known_worth(200)
        self.check_no_worth(400)

    def test_the_same_models_differ_in_nothing(self):
        outputs, auxiliary = simulate(0)
        same = dataclasses.replace(
            auxiliary, mismatched=((FLOAT, auxiliary.references),)
        )
        (known,) = compare(outputs, same)
        self.assertEqual(vars(known.gain), {"value": 0, "low": 0, "high": 0})
        self.assertEqual(known.p_value, 1.0)
        for one in known.attacks:
            self.assertEqual(one.matched, one.mismatched)
            self.assertEqual(one.difference.high, 0)
            self.assertEqual([x.difference.high for x in one.rates], [0, 0])


class CompareTest(parameterized.TestCase, tf.test.TestCase):
    def test_every_attack_with_references_and_no_other(self):
        (known,) = compare(*simulate(0))
        names = [one.attack for one in known.attacks]
        self.assertEqual(
            names,
            [
                "difficulty",
                *(
                    f"{kind}_{way}"
                    for kind in ("lira", "rmia", "base", "bavaria")
                    for way in ("online", "offline")
                ),
            ],
        )
        self.assertIn(known.attack, names)
        self.assertEqual(known.strongest.attack, known.attack)
        self.assertEqual((known.matched, known.mismatched), (MATCHED, FLOAT))

    @parameterized.parameters((8, 4), (4, 8))
    def test_as_many_of_both(self, *counts):
        outputs, auxiliary = simulate(0, counts=counts)
        (known,) = compare(outputs, auxiliary)
        self.assertEqual(known.matched.models, 4)
        self.assertEqual(known.mismatched.models, 4)
        self.assertEqual(known.matched.available, counts[0])
        self.assertEqual(known.mismatched.available, counts[1])
        ((kind, others),) = auxiliary.mismatched
        cut = dataclasses.replace(
            auxiliary,
            references=auxiliary.references[:4],
            kind=dataclasses.replace(MATCHED, models=4, available=4),
            mismatched=((kind, others[:4]),),
        )
        (alone,) = compare(outputs, cut)
        self.assertEqual(known.attacks, alone.attacks)

    def test_attacks_that_learn_are_evaluated_on_the_other_half(self):
        (known,) = compare(*simulate(0), attack_options={"rmia": {"gamma": 2}})
        members = {one.attack: one.members for one in known.attacks}
        self.assertEqual(members["rmia_online"], RECORDS // 4)
        self.assertEqual(members["lira_online"], RECORDS // 2)

    def test_records_that_one_side_cannot_score(self):
        outputs, auxiliary = simulate(0)
        ((kind, others),) = auxiliary.mismatched
        some = tuple(x.take(x.record_ids < 500) for x in others)
        partial = dataclasses.replace(auxiliary, mismatched=((kind, some),))
        (known,) = compare(outputs, partial)
        for one in known.attacks:
            self.assertEqual(one.members + one.nonmembers, 500)

    def test_nothing_to_compare(self):
        outputs, auxiliary = simulate(0)
        alone = dataclasses.replace(auxiliary, references=(), kind=None)
        self.assertIsNone(alone.matched)
        self.assertEqual(compare(outputs, alone), [])
        none = dataclasses.replace(auxiliary, mismatched=())
        self.assertEqual(compare(outputs, none), [])

    def test_mismatched_ones_of_the_very_members_are_refused(self):
        outputs, auxiliary = simulate(0)
        wrong = dataclasses.replace(
            auxiliary, mismatched=((FLOAT, (outputs.renamed("float"),)),)
        )
        with self.assertRaisesRegex(InputError, "very members of 'simulated'"):
            compare(outputs, wrong)


class AuditTest(tf.test.TestCase):
    def test_the_audit_with_and_without_them(self):
        """Nothing of the audit moves; what is new is there."""
        outputs, auxiliary = simulate(0)
        results = [
            audit.audit_outputs(
                self.create_tempdir().full_path,
                [outputs],
                run_config={},
                config=AuditConfig(name="run"),
                auxiliary={"simulated": known},
            )
            for known in (
                auxiliary,
                dataclasses.replace(auxiliary, mismatched=()),
            )
        ]
        (with_them,), (without,) = (x.targets for x in results)
        self.assertEqual(with_them.references, MATCHED)
        (known,) = with_them.known_bits
        self.assertEqual(without.known_bits, [])
        self.assertEqual(
            typed_json.encode(dataclasses.replace(with_them, known_bits=[])),
            typed_json.encode(without),
        )
        self.assertEqual(results[0].references, results[1].references)
        # The matched side is what the audit's own rows say.
        for one in known.attacks:
            self.assertEqual(one.matched, with_them.attack(one.attack).auc)
            self.assertEqual(
                [x.matched for x in one.rates],
                with_them.attack(one.attack).tpr_at_fpr[1:3],
            )

    def test_which_references_where_nobody_says(self):
        outputs, auxiliary = simulate(0)
        unknown = Auxiliary(references=auxiliary.references)
        result = audit.audit(outputs, auxiliary=unknown)
        self.assertEqual(
            result.references, ReferenceModels(MODELS, MODELS, [], None)
        )
        self.assertIsNone(audit.audit(outputs).references)


if __name__ == "__main__":
    tf.test.main()
