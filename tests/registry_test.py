import importlib.metadata
import sys
from unittest import mock

from absl.testing import absltest

from qmia_tf.errors import InputError
from qmia_tf.registry import Registry


class RegistryTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.table = Registry("export scheme", {"one": 1, "two": 2})

    def test_gives_what_was_added_in_its_order(self):
        self.assertEqual(self.table.register("three", 3), 3)
        self.assertEqual(self.table.names(), ["one", "two", "three"])
        self.assertEqual(list(self.table), [1, 2, 3])
        self.assertEqual(list(self.table.items())[-1], ("three", 3))
        self.assertLen(self.table, 3)
        self.assertIn("three", self.table)
        self.assertEqual(self.table["two"], 2)

    def test_a_table_does_not_change_the_dict_it_was_made_of(self):
        objects = {"one": 1}
        Registry("attack", objects).register("two", 2)
        self.assertEqual(objects, {"one": 1})

    def test_a_name_is_given_once(self):
        with self.assertRaisesRegex(
            InputError, "'one' is there already.*replace"
        ):
            self.table.register("one", 7)
        self.assertEqual(self.table["one"], 1)
        self.table.register("one", 7, replace=True)
        self.assertEqual(self.table["one"], 7)

    def test_an_unknown_name_is_refused_with_the_nearest(self):
        with self.assertRaisesRegex(
            InputError,
            "no export scheme 'tow': choose one of one, two; did you mean "
            "'two'",
        ):
            self.table.get("tow")
        with self.assertRaisesRegex(InputError, "choose one of one, two$"):
            self.table.get("zzzzz")

    def test_text_is_imported_when_it_is_asked_for(self):
        name = "wave"
        sys.modules.pop(name, None)
        table = Registry("source", {"reader": "wave:Wave_read"})
        self.assertEqual(table.names(), ["reader"])
        self.assertNotIn(name, sys.modules)
        self.assertIs(table["reader"], sys.modules[name].Wave_read)

    def test_installed_packages_add_objects_but_replace_none(self):
        points = [
            importlib.metadata.EntryPoint("mine", "math:tau", "g"),
            importlib.metadata.EntryPoint("one", "math:pi", "g"),
        ]
        with mock.patch.object(
            importlib.metadata, "entry_points", return_value=points
        ) as entry_points:
            self.assertEqual(self.table.names(), ["one", "two", "mine"])
            self.assertAlmostEqual(self.table["mine"], 6.283185307)
            self.assertEqual(self.table["one"], 1)
        entry_points.assert_called_once_with(group="qmia_tf.export_scheme")


if __name__ == "__main__":
    absltest.main()
