"""What every attack of the table must do, and how its options are set."""

import copy
import dataclasses
import inspect
import pathlib
import subprocess
import sys
from unittest import mock

import numpy as np
import simulated_margins
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import attacks
from qmia_tf.attacks import ATTACKS, NEEDS, PLAIN, Attack, Option, gap
from qmia_tf.errors import InputError
from qmia_tf.statistics.auc import auc

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ATTACKS.names()
# Scores of one record alone, from the target's outputs.
ALONE = [
    name
    for name in NAMES
    if set(ATTACKS[name].needs) <= set(PLAIN) and not ATTACKS[name].learns
]
KINDS = ("float", "int8", "logits")
FAMILIES = sorted({ATTACKS[name].family or name for name in NAMES})


def evaluated(attack, inputs, *, level=0.95):
    """The AUC on the records that an audit evaluates the attack on."""
    scores = attack.scores(inputs)
    rows = np.isfinite(scores)
    rows &= ~inputs.calibration if attack.learns else True
    return auc(scores[rows], inputs.outputs.members[rows], level=level)


class ContractTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.product(name=NAMES, kind=KINDS)
    def test_one_number_a_record_higher_for_members(self, name, kind):
        attack = ATTACKS[name]
        inputs = simulated_margins.everything(kind)
        before = copy.deepcopy(inputs)
        scores = attack.scores(inputs)
        self.assertEqual((scores.dtype, scores.shape), (np.float64, (230,)))
        self.assertTrue(np.isfinite(scores).all())
        self.assertGreater(evaluated(attack, inputs).value, 0.54)
        # What it was given is left as it was.
        tf.nest.map_structure(self.assertAllEqual, parts(inputs), parts(before))

    @parameterized.product(name=NAMES, kind=KINDS)
    def test_order_of_records_does_not_matter(self, name, kind):
        attack, inputs = ATTACKS[name], simulated_margins.everything(kind)
        order = np.random.default_rng(2).permutation(230)
        turned = simulated_margins.take(inputs, order)
        before, after = attack.scores(inputs)[order], attack.scores(turned)
        if name in ALONE:
            off = int(np.sum(after != before))
            self.assertEqual(off, 0, f"{off} of 230 differ")
            some = attack.scores(simulated_margins.take(inputs, order[:50]))
            self.assertAllEqual(some, before[:50])
        # Folds are dealt in the records' order; sums are of another order.
        rows = ~turned.calibration if attack.learns else slice(None)
        self.assertAllClose(after[rows], before[rows], atol=1e-6)

    @parameterized.product(name=NAMES, kind=KINDS)
    def test_equal_records_have_equal_scores(self, name, kind):
        attack, inputs = ATTACKS[name], simulated_margins.everything(kind)
        one, other = np.flatnonzero(~inputs.calibration)[[3, 40]]
        rows = np.arange(230)
        rows[other] = one
        scores = attack.scores(simulated_margins.take(inputs, rows))
        self.assertEqual(scores[one], scores[other])

    @parameterized.parameters(*NAMES)
    def test_evaluated_memberships_are_not_looked_at(self, name):
        attack, inputs = ATTACKS[name], simulated_margins.everything()
        members = inputs.outputs.members
        turned = ~members
        if attack.learns:
            turned = np.where(inputs.calibration, members, ~members)
        blind = simulated_margins.with_members(inputs, turned)
        self.assertAllEqual(attack.scores(blind), attack.scores(inputs))

    @parameterized.parameters(*NAMES)
    def test_no_leak_is_chance(self, name):
        inputs = simulated_margins.everything(
            members=1500, nonmembers=1500, gain=(2.0, 2.0)
        )
        # Wrong once in a thousand seeds; the seed is fixed.
        area = evaluated(ATTACKS[name], inputs, level=0.999)
        self.assertBetween(0.5, area.low, area.high)

    @parameterized.parameters(*NAMES)
    def test_nan_is_a_record_that_it_cannot_score(self, name):
        attack, inputs = ATTACKS[name], simulated_margins.everything()
        for models in (inputs.references, inputs.inside_references):
            models.inside[:, 7] = models.outside[:, 7] = False
        inputs.augmented_labels[7] = inputs.noisy_labels[7] = -1
        unknown = {"references", "augmented_labels", "noisy_labels"}
        unknown.add("inside_references")
        lost = unknown & {*attack.needs} or name == "quantile"
        wanted = np.arange(230) == (7 if lost else 230)
        self.assertAllEqual(np.isnan(attack.scores(inputs)), wanted)

    @parameterized.parameters(*NAMES)
    def test_declares_what_it_needs(self, name):
        attack, inputs = ATTACKS[name], simulated_margins.everything()
        self.assertEqual(attack.missing(inputs), [])
        self.assertContainsSubset(attack.needs, NEEDS)
        needed = [need for need in attack.needs if need not in PLAIN]
        bare = dataclasses.replace(
            inputs, **dict.fromkeys({*NEEDS} - {*PLAIN} - {*needed})
        )
        full = attack.scores(bare)
        self.assertTrue(np.isfinite(full).all())
        for need in needed:
            less = dataclasses.replace(bare, **{need: None})
            self.assertEqual(attack.missing(less), [need])
            if name != "quantile":  # which can do without features
                with self.assertRaisesRegex(ValueError, "needs|hold no"):
                    attack.scores(less)

    @parameterized.product(
        name=[name for name in ALONE if name != "gap"], kind=KINDS
    )
    def test_classes_may_be_called_otherwise(self, name, kind):
        """The gap attack takes the first of equal classes, so not it."""
        inputs = simulated_margins.everything(kind)
        outputs, order = inputs.outputs, np.array([3, 0, 4, 2, 1])
        logits = outputs.logits
        turned = dataclasses.replace(
            outputs,
            probabilities=outputs.probabilities[:, order],
            labels=np.argsort(order)[outputs.labels],
            logits=None if logits is None else logits[:, order],
        )
        turned = dataclasses.replace(inputs, outputs=turned)
        scores = ATTACKS[name].scores(turned)
        self.assertAllEqual(scores, ATTACKS[name].scores(inputs))

    @parameterized.product(name=ALONE, step=(0.0, 1 / 256))
    def test_hard_labels_are_the_gap_attack_or_say_nothing(self, name, step):
        """One-hot outputs: zeros and ones give two finite scores or one."""
        inputs = simulated_margins.everything()
        outputs = inputs.outputs
        hard = dataclasses.replace(
            outputs,
            probabilities=np.eye(5, dtype=np.float32)[outputs.predicted],
            info={"target": "t", "probability_step": step},
        )
        hard = dataclasses.replace(inputs, outputs=hard)
        scores, right = ATTACKS[name].scores(hard), gap.scores(outputs)
        self.assertTrue(np.isfinite(scores).all())
        if name in ("confidence", "entropy"):
            self.assertLen(set(scores), 1)
            self.assertEqual(auc(scores, outputs.members).value, 0.5)
        else:
            self.assertLen(set(scores), 2)
            self.assertAllEqual(scores == scores.max(), right == 1)
            area = auc(right, outputs.members)
            self.assertEqual(auc(scores, outputs.members), area)

    def test_table(self):
        for name, attack in ATTACKS.items():
            self.assertEqual(attack.name, name)
            self.assertTrue(attack.title and attack.queries and attack.source)
        self.assertEqual(NAMES[0], "gap")
        self.assertEqual(ATTACKS["gap"].threshold, gap.THRESHOLD)
        self.assertLen(set(attacks.TITLES.values()), len(NAMES))
        self.assertEqual(attacks.TITLES["lira_online"], "LiRA online")
        with self.assertRaisesRegex(InputError, "did you mean 'margin'"):
            ATTACKS["margins"]
        with self.assertRaisesRegex(AttributeError, "no attribute 'TITLE'"):
            attacks.TITLE  # noqa: B018


def parts(inputs):
    """Every array of AttackInputs."""
    return {
        f"{name}.{key}": array
        for name, value in vars(inputs).items()
        for key, array in getattr(value, "__dict__", {"": value}).items()
        if isinstance(array, np.ndarray)
    }


class OptionsTest(parameterized.TestCase, tf.test.TestCase):
    @parameterized.parameters(*NAMES)
    def test_are_arguments_with_that_default(self, name):
        attack = ATTACKS[name]
        arguments = inspect.signature(attack.scores).parameters
        self.assertEqual(
            {x.name: x.default for x in attack.options},
            {x.name: x.default for x in list(arguments.values())[1:]},
        )
        for option in attack.options:
            key = f"{name}.{option.name}"
            self.assertEqual(option.read(option.default, key), option.default)
            self.assertTrue(option.sentence and option.source)

    def test_are_in_the_table_of_the_docs(self):
        text = (ROOT / "docs" / "attacks.md").read_text()
        for attack in ATTACKS:
            self.assertIn(f"`{attack.name}`", text)
            for option in attack.options:
                key = f"{attack.family or attack.name}.{option.name}"
                default = option.default
                if isinstance(default, str):
                    default = f"`{default}`"
                else:
                    default = f"{default:g}"
                self.assertIn(f"| `{key}` | {default} | ", text)

    @parameterized.parameters(*FAMILIES)
    def test_every_word_and_a_number_are_taken(self, family):
        inputs = simulated_margins.everything()
        members = [
            x for x in ATTACKS if family in (x.family, x.name) and x.options
        ]
        for option in {x.name: x for y in members for x in y.options}.values():
            values = [*option.words, *(option.numbers or ())]
            for value in values:
                table = attacks.with_options({family: {option.name: value}})
                self.assertEqual(table.names(), NAMES)
                for attack in members:
                    scores = table[attack.name].scores(inputs)
                    if option not in attack.options or value == option.default:
                        same = attack.scores(inputs)
                        self.assertAllEqual(scores, same)
                    self.assertGreater(np.isfinite(scores).sum(), 150)

    def test_with_options(self):
        inputs = simulated_margins.everything()
        table = attacks.with_options(
            {"rmia": {"gamma": "2", "a": 0.5}, "rmia_online": {"gamma": 1.5}}
        )
        for name, wanted in (
            ("rmia_online", {"gamma": 1.5}),
            ("rmia_offline", {"gamma": 2.0, "a": 0.5}),
        ):
            scores = table[name].scores(inputs)
            plain = ATTACKS[name].scores
            self.assertAllEqual(scores, plain(inputs, **wanted))
            self.assertNotAllEqual(scores, plain(inputs))
            # z of the calibration half have taught it.
            self.assertTrue(table[name].learns)
            self.assertFalse(ATTACKS[name].learns)
        self.assertIs(table["gap"], ATTACKS["gap"])
        table = attacks.with_options({"rmia": {"a": 0.5}})
        self.assertFalse(table["rmia_offline"].learns)
        table = attacks.with_options({})
        self.assertIs(table["lira_online"], ATTACKS["lira_online"])

    def test_changed_options(self):
        options = {
            "lira": {"variance": "shrunken"},
            "rmia": {"gamma": "none", "a": "0.25"},
            "quantile": {"ridge": 0},
        }
        self.assertEqual(
            attacks.changed_options(options),
            {"rmia": {"a": 0.25}, "quantile": {"ridge": 0.0}},
        )

    @parameterized.parameters(
        ("lira.variance=global", "are a dict of dicts, .* got 'lira"),
        ({"rmia": 3}, "are a dict of dicts, such as .* got {'rmia': 3}"),
        ({"lirra": {}}, "no attack 'lirra': choose one of gap.*mean 'lira"),
        ({"gap": {"x": 1}}, "'gap' has no options; these have: quantile, dif"),
        ({"lira": {"var": 1}}, "no lira option 'var': choose one of variance"),
        ({"rmia_online": {"a": 1}}, "rmia_online option 'a': choose.* gamma"),
        (
            {"lira": {"variance": "pooled"}},
            "lira.variance must be shrunken, global, per_record, paper, got 'p",
        ),
        ({"rmia": {"a": 1.5}}, "rmia.a must be tuned or a number in 0..1, got"),
        ({"rmia": {"gamma": "0"}}, r"be none or a number in 0.01..100, got"),
        ({"rmia": {"gamma": "nan"}}, "gamma must be none or a n.*got 'nan'"),
        ({"rmia": {"gamma": True}}, "gamma must be none or a n.*got True"),
        ({"rmia": {"gamma": None}}, "gamma must be none or a n.*got None"),
    )
    def test_refused(self, options, message):
        for call in (attacks.with_options, attacks.changed_options):
            with self.assertRaisesRegex(InputError, message) as caught:
                call(options)
            self.assertNotIn("\n", str(caught.exception))

    def test_texts_of_the_flag(self):
        self.assertEqual(
            attacks.parse_options(
                ["lira.variance=global", " rmia.gamma = 2", "rmia.a=tuned"]
            ),
            {
                "lira": {"variance": "global"},
                "rmia": {"gamma": "2", "a": "tuned"},
            },
        )
        for text in ("lira", "lira=global", "lira.=2", ".a=2", "lira.a=", "="):
            with self.assertRaisesRegex(
                InputError, "takes ATTACK.OPTION=VALUE, such as lira"
            ):
                attacks.parse_options([text])

    def test_an_attack_of_an_installed_package(self):
        """It has options like the others, and is in every new table."""
        option = Option("shift", 0.0, "moves it", "here", numbers=(0, 9))
        added = Attack(
            "moved",
            "moved",
            lambda inputs, *, shift=0.0: gap.scores(inputs.outputs) + shift,
            source="here",
            options=(option,),
        )
        with mock.patch.dict(ATTACKS._objects, moved=added):
            table = attacks.with_options({"moved": {"shift": 2}})
        scores = table["moved"].scores(simulated_margins.everything())
        self.assertContainsSubset(set(scores), {2.0, 3.0})


class ImportTest(tf.test.TestCase):
    def test_names_are_listed_without_scipy(self):
        """A program's --help does not wait for it."""
        code = "import sys; from qmia_tf import attacks; "
        code += "attacks.ATTACKS.names(); sys.exit('scipy' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code])
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    tf.test.main()
