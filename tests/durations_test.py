import pathlib
from unittest import mock

import durations
from absl.testing import absltest, parameterized


class FastTest(parameterized.TestCase):
    @parameterized.parameters(
        ("from qmia_tf.deploy import export", True),
        ("import qmia_tf.training.resumable_loop", True),
        ("def f():\n    from qmia_tf import qat", True),
        # A module of tests/ that imports what converts.
        ("import integer_nets", True),
        ("from qmia_tf.training import recipes", False),
        ("from qmia_tf.attacks import margin\nimport own_nets", False),
    )
    def test_what_trains_or_converts_is_seen(self, text, expected):
        path = pathlib.Path(self.create_tempdir()) / "a_test.py"
        path.write_text(text)
        self.assertEqual(durations.trains_or_converts(path), expected)

    def test_list_keeps_what_was_not_run(self):
        path = pathlib.Path(self.create_tempdir()) / "long_tests.txt"
        with mock.patch.object(durations, "LIST", path):
            self.assertEqual(durations.read(), {})
            durations.write(
                {
                    "tests/imports_test.py::HouseTest": 9.0,
                    "tests/style_test.py::StyleTest": 30.2,
                    "tests/gone_test.py::GoneTest": 8.0,
                }
            )
            durations.write(
                {
                    "tests/imports_test.py::HouseTest": 1.9,
                    "tests/imports_test.py::LightTest": 5.1,
                }
            )
            self.assertEqual(
                durations.read(),
                {
                    "tests/style_test.py::StyleTest": 30.0,
                    "tests/imports_test.py::LightTest": 5.0,
                },
            )

    def test_class_of_a_test(self):
        node_id = "tests/a_test.py::TheTest::test_this0"
        self.assertEqual(
            durations.class_of(node_id), "tests/a_test.py::TheTest"
        )


if __name__ == "__main__":
    absltest.main()
