"""What the paper reports, typed off and held against itself."""

from absl.testing import absltest

from paper import paper_numbers


class PaperTest(absltest.TestCase):
    def test_two_rows_do_not_agree_with_themselves(self):
        odd = [
            key
            for key, row in paper_numbers.PAPER.items()
            if not row.f1_follows
        ]
        self.assertEqual(
            odd, [("fashion_mnist", 32, 32), ("fashion_mnist", 16, 4)]
        )
        for key, want in zip(odd, (68.59, 66.96), strict=True):
            self.assertAlmostEqual(
                paper_numbers.PAPER[key].f1_recomputed, want, delta=0.005
            )

    def test_every_row_of_the_paper_is_there(self):
        bits = [(32, 32), (4, 4), (16, 4), (16, 16)]
        self.assertEqual(
            list(paper_numbers.PAPER),
            [(d, *b) for d in ("fashion_mnist", "cifar10") for b in bits],
        )


if __name__ == "__main__":
    absltest.main()
