"""Laws that hold for every input, tried by Hypothesis."""

import json
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qmia_tf import files, outputs
from qmia_tf.data import split
from qmia_tf.outputs import csv_file, output_forms
from qmia_tf.quantizers.dorefa import DoReFaActivations, DoReFaWeights
from qmia_tf.quantizers.symmetric import SymmetricWeights
from qmia_tf.statistics import auc, intervals
from qmia_tf.statistics.sweep import sweep

tried = settings(
    max_examples=50, deadline=None, database=None, derandomize=True
)
# Fewer for what XLA compiles anew for every shape and width.
tried_few = settings(tried, max_examples=25)
WIDTHS = st.sampled_from((1, 2, 4, 8, 16))
# One shape, so that XLA compiles once a width.
VALUES = arrays.arrays(
    np.float32,
    (2, 6),
    elements=st.floats(-4, 4, width=32, allow_subnormal=False),
)


@st.composite
def scored(draw):
    """Scores with many ties, and memberships of both kinds."""
    size = draw(st.integers(2, 40))
    grid = st.integers(-3, 3).map(float) | st.floats(-1e9, 1e9)
    scores = draw(arrays.arrays(np.float64, size, elements=grid))
    members = draw(arrays.arrays(bool, size))
    assume(members.any() and not members.all())
    return scores, members


class QuantizerLawsTest(absltest.TestCase):
    @tried_few
    @given(VALUES, WIDTHS)
    def test_activations(self, x, bits):
        quantize = DoReFaActivations(bits)
        values = np.asarray(quantize(tf.constant(x)))
        codes = values.astype(np.float64) * (2**bits - 1)
        # float32 keeps a code of 16 bits to 2**-8.
        np.testing.assert_allclose(codes, np.round(codes), atol=2**-7)
        np.testing.assert_array_equal(quantize(tf.constant(values)), values)
        order = np.argsort(x.ravel(), kind="stable")
        self.assertTrue((np.diff(values.ravel()[order]) >= 0).all())
        self.assertTrue(((values >= 0) & (values <= 1)).all())

    @tried_few
    @given(VALUES, WIDTHS)
    def test_weights(self, w, bits):
        assume(np.abs(w).max() > 1e-3)
        values = np.asarray(DoReFaWeights(bits)(tf.constant(w)))
        self.assertLessEqual(len(np.unique(values)), 2**bits)
        order = np.argsort(w.ravel(), kind="stable")
        self.assertTrue((np.diff(values.ravel()[order]) >= 0).all())
        if bits > 1:
            odd = (values.astype(np.float64) * (2**bits - 1) - 1) / 2
            np.testing.assert_allclose(odd, np.round(odd), atol=2**-7)

    @tried_few
    @given(VALUES, st.sampled_from((2, 4, 8)))
    def test_symmetric(self, w, bits):
        assume((np.abs(w).max(axis=0) > 1e-3).all())
        quantize = SymmetricWeights(bits)
        values = np.asarray(quantize(tf.constant(w)))
        step = np.abs(w).max(axis=0) / (2 ** (bits - 1) - 1)
        np.testing.assert_allclose(
            values / step, np.round(values / step), atol=1e-4
        )
        self.assertTrue((np.abs(values - w) <= step * 0.5001).all())
        # The largest of a channel stays, and so its grid; but for a last bit.
        again = np.asarray(quantize(tf.constant(values)))
        np.testing.assert_allclose(again, values, rtol=1e-6)
        self.assertTrue((np.sign(values) * np.sign(w) >= 0).all())


class ScoreLawsTest(absltest.TestCase):
    @tried
    @given(scored())
    def test_auc_is_the_share_of_pairs(self, given_scores):
        scores, members = given_scores
        ours, others = scores[members][:, None], scores[~members]
        pairs = np.mean((ours > others) + (ours == others) / 2)
        area = auc.auc(scores, members)
        self.assertAlmostEqual(area.value, pairs, delta=1e-12)
        self.assertAlmostEqual(
            float(auc.auc_value(scores, members)), pairs, delta=1e-12
        )
        mirrored = auc.auc(-scores, members).value
        self.assertAlmostEqual(area.value + mirrored, 1, delta=1e-12)
        self.assertBetween(area.value, area.low, area.high)

    @tried
    @given(scored(), st.randoms(use_true_random=False))
    def test_roc(self, given_scores, random):
        scores, members = given_scores
        curve = sweep(scores, members)
        tpr, fpr = curve.recall, curve.false_positive_rate
        for rates in (tpr, fpr):
            self.assertEqual((rates[0], rates[-1]), (0, 1))
            self.assertTrue((np.diff(rates) >= 0).all())
        area = np.trapezoid(tpr, fpr)
        self.assertAlmostEqual(area, auc.auc(curve).value, delta=1e-9)
        self.assertLen(np.unique(scores), len(tpr) - 1)
        order = list(range(len(scores)))
        random.shuffle(order)
        again = sweep(scores[order], members[order])
        np.testing.assert_array_equal(
            again.true_positives, curve.true_positives
        )


class IntervalLawsTest(absltest.TestCase):
    @tried
    @given(st.data(), st.floats(0.01, 0.98), st.integers(1, 10**6))
    def test_inside_and_nested(self, data, level, total):
        count = data.draw(st.integers(0, total))
        for interval in (intervals.clopper_pearson, intervals.wilson):
            inner = interval(count, total, level=level)
            outer = interval(count, total, level=level + 0.01)
            self.assertLessEqual(0, outer.low)
            self.assertLessEqual(outer.low, inner.low)
            # At a rate of 0 or 1 a limit is the rate itself, to a last bit.
            self.assertLessEqual(inner.low, inner.value + 1e-12)
            self.assertGreaterEqual(inner.high, inner.value - 1e-12)
            self.assertLessEqual(inner.high, outer.high)
            self.assertLessEqual(outer.high, 1)

    @tried
    @given(scored(), st.floats(0.05, 0.9))
    def test_auc(self, given_scores, level):
        inner = auc.auc(*given_scores, level=level)
        outer = auc.auc(*given_scores, level=level + 0.05)
        self.assertLessEqual(0, outer.low)
        self.assertLessEqual(outer.low, inner.low)
        self.assertLessEqual(inner.high, outer.high)
        self.assertLessEqual(outer.high, 1)


PRINTABLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PRINTABLE,
    lambda item: (
        st.lists(item, max_size=4)
        | st.dictionaries(PRINTABLE, item, max_size=4)
    ),
    max_leaves=12,
)


class ReadOfWriteTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(tempfile.mkdtemp())

    @tried
    @given(JSON)
    def test_json(self, tree):
        path = self.dir / "x.json"
        files.write_json(path, tree)
        self.assertEqual(files.read_json(path), tree)
        self.assertEqual(json.loads(path.read_text()), tree)

    @tried
    @given(
        arrays.arrays(
            st.sampled_from((bool, np.int64, np.float32, "U3")),
            arrays.array_shapes(min_dims=0, max_dims=3, min_side=0),
        )
    )
    def test_npz(self, array):
        path = self.dir / "x.npz"
        try:
            "".join(array.ravel().tolist()).encode() if array.dtype.kind in (
                "U"
            ) else None
        except UnicodeEncodeError:
            assume(False)
        files.write_npz(path, array=array)
        np.testing.assert_array_equal(files.read_npz(path)["array"], array)

    @tried
    @given(
        arrays.arrays(np.float32, (4, 3), elements=st.floats(0, 1, width=32)),
        st.sampled_from((2, 10, 100, 256)),
    )
    def test_rounded_outputs(self, p, levels):
        seen = output_forms.rounded(p, levels)
        # The product with the levels is rounded to float32 first.
        self.assertLessEqual(np.abs(seen - p).max(), 0.5 / levels + 2.0**-23)
        np.testing.assert_array_equal(output_forms.rounded(seen, levels), seen)
        order = np.argsort(p.ravel(), kind="stable")
        self.assertTrue((np.diff(seen.ravel()[order]) >= 0).all())
        least = output_forms.rounded(p, levels, largest=levels - 1)
        self.assertLess(least.max(), 1)

    @tried
    @given(st.integers(2, 5), st.integers(4, 20), st.integers(0, 2**32 - 1))
    def test_outputs(self, classes, size, seed):
        rng = np.random.default_rng(seed)
        made = outputs.Outputs(
            probabilities=rng.dirichlet([1] * classes, size).astype(np.float32),
            labels=rng.integers(0, classes, size),
            members=np.arange(size) < size // 2,
            record_ids=rng.permutation(size),
            info={"target": "x"},
        )
        made.save(self.dir / "x.npz")
        stored = outputs.load(self.dir / "x.npz")
        for name in ("probabilities", "labels", "members", "record_ids"):
            np.testing.assert_array_equal(
                getattr(stored, name), getattr(made, name)
            )

    @tried
    @given(st.integers(2, 5), st.integers(2, 20), st.integers(0, 2**32 - 1))
    def test_csv(self, classes, size, seed):
        rng = np.random.default_rng(seed)
        rows = rng.dirichlet([1] * classes, size)
        labels = rng.integers(0, classes, size)
        names = [f"p{place}" for place in range(classes)]
        lines = [",".join([*names, "label"])] + [
            ",".join([*map(repr, row), str(label)])
            for row, label in zip(rows.tolist(), labels, strict=True)
        ]
        (self.dir / "x.csv").write_text("\n".join(lines))
        stored = csv_file.read(self.dir / "x.csv")
        np.testing.assert_array_equal(stored["probabilities"], rows)
        np.testing.assert_array_equal(stored["labels"], labels)


class SplitLawsTest(absltest.TestCase):
    @tried
    @given(
        st.lists(st.integers(0, 4), min_size=12, max_size=60),
        st.integers(0, 2**32),
        st.floats(0.3, 0.7),
    )
    def test_partition_by_class(self, labels, seed, fraction):
        counts = np.bincount(labels)
        assume((counts[counts > 0] >= 4).sum() >= 2)
        labels = np.array(labels)
        options = {
            "seed": seed,
            "pool": "all",
            "fingerprint": "f",
            "member_fraction": fraction,
        }
        drawn = split.make_split(labels, **options)
        both = np.concatenate([drawn.members, drawn.nonmembers])
        np.testing.assert_array_equal(np.sort(both), np.arange(len(labels)))
        self.assertLen(drawn.members, round(len(labels) * fraction))
        inside = np.bincount(labels[drawn.members], minlength=len(counts))
        self.assertLess(np.abs(inside - counts * fraction).max(), 1)
        again = split.make_split(labels, **options)
        np.testing.assert_array_equal(again.members, drawn.members)
        path = pathlib.Path(tempfile.mkdtemp()) / "split.npz"
        split.save(drawn, path)
        stored = split.load(path, "f")
        np.testing.assert_array_equal(stored.members, drawn.members)
        self.assertEqual((stored.seed, stored.pool), (seed, "all"))


if __name__ == "__main__":
    absltest.main()
