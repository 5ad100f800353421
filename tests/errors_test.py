"""Messages name options as their reader gives them."""

from absl.testing import absltest, parameterized

from qmia_tf.errors import option, options_as_flags


class OptionTest(parameterized.TestCase):
    @parameterized.parameters(
        ("out", (), {}, "out", "--out"),
        ("outputs", ("logits",), {}, 'outputs="logits"', "--outputs=logits"),
        ("input_range", ((0, 1),), {}, "input_range=(0, 1)",
         "--input_range=0..1"),
        ("input_range", ((0, 1), (0, 255), (-1, 1)), {},
         "input_range=(0, 1), (0, 255) or (-1, 1)",
         "--input_range=0..1, 0..255 or -1..1"),
        ("class_names", (["a b", "c"],), {}, 'class_names=["a b", "c"]',
         "--class_names='a b,c'"),
        ("first_label", (1,), {}, "first_label=1", "--first_label=1"),
        ("allow_chance", (True,), {}, "allow_chance=True", "--allow_chance"),
        ("download", (False,), {}, "download=False", "--nodownload"),
        ("target", (), {"flag": "model"}, "target", "--model"),
    )  # fmt: skip
    def test_names(self, name, values, options, in_python, as_flag):
        self.assertEqual(option(name, *values, **options), in_python)
        with options_as_flags():
            self.assertEqual(option(name, *values, **options), as_flag)
        self.assertEqual(option(name, *values, **options), in_python)


if __name__ == "__main__":
    absltest.main()
