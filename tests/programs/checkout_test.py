"""What programs take from the checkout, and say where it is not there."""

import pathlib
import shutil
import sys

import script_calls
from absl.testing import absltest, parameterized

from qmia_tf.errors import InputError
from qmia_tf.programs import checkout


class CheckoutTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.script = self.root / "scripts" / "draw.py"
        path = list(sys.path)
        self.addCleanup(lambda: sys.path.__setitem__(slice(None), path))

    def test_a_module_of_the_checkout(self):
        folder = self.root / "checkout_folder"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "numbers.py").write_text("SEVEN = 7")
        self.addCleanup(sys.modules.pop, "checkout_folder.numbers", None)
        name = "checkout_folder.numbers"
        for module in (
            checkout.load(self.script, name),
            checkout.load_if_there(name, root=self.root),
        ):
            self.assertEqual(module.SEVEN, 7)

    def test_no_such_folder(self):
        self.assertIsNone(checkout.load_if_there("gone.numbers"))
        # Another package of that name, as there may be where it is installed.
        (self.root / "paper").mkdir()
        (self.root / "paper" / "__init__.py").touch()
        self.assertIsNone(
            checkout.load_if_there("paper.paper_numbers", root=self.root)
        )
        with self.assertRaisesRegex(
            InputError,
            r"no gone/ beside .*: run draw\.py from a whole",
        ):
            checkout.load(self.script, "gone.numbers")

    @parameterized.parameters(
        ("reproduce", "paper"), ("make_tflite_models", "tools")
    )
    def test_a_program_alone_says_so_in_one_line(self, name, folder):
        self.script.parent.mkdir()
        shutil.copy(script_calls.SCRIPTS / f"{name}.py", self.script.parent)
        status, out, errors = script_calls.call(name, folder=self.script.parent)
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(
            errors, rf"\Aerror: there is no {folder}/ beside [^\n]+\n\Z"
        )


if __name__ == "__main__":
    absltest.main()
