"""Who may import whom, as docs/figures/house.py reads it."""

import collections
import importlib
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

from qmia_tf import extras

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What handles arrays of outputs, and what runs on a board.
LIGHT = ("attacks", "statistics", "outputs", "auditing", "report", "edge")
HEAVY = tuple(extras.EXTRAS)
IMPORT_ALL = """
import importlib, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {heavy}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
module = importlib.import_module("qmia_tf.{name}")
for found in pkgutil.walk_packages(
    getattr(module, "__path__", []), module.__name__ + "."
):
    importlib.import_module(found.name)
print(len([name for name in sys.modules if name.startswith(module.__name__)]))
"""
# Nouns of the field that end in "ing", as the last word of a module's name.
NOUNS = (
    *("clipping", "crossing", "folding", "listing", "matching", "pooling"),
    *("preprocessing", "scaling", "timing", "training", "tuning"),
)
PREPOSITIONS = (
    *("about", "against", "at", "behind", "below", "beside", "by", "for"),
    *("from", "in", "of", "on", "over", "to", "with", "without"),
)
EMPTY_WORDS = ("base", "common", "helpers", "manager", "stuff", "utils")
# What `qmia edge` imports.
EDGE = (
    *("qmia_tf", "qmia_tf.programs", "qmia_tf.programs.program"),
    *("qmia_tf.programs.evaluate_edge", "qmia_tf.programs.flag_help"),
    *("qmia_tf.errors", "qmia_tf.files"),
    *(
        "qmia_tf.edge",
        "qmia_tf.edge.evaluation",
        "qmia_tf.edge.evaluation_text",
    ),
)
PROGRAMS = [path.stem for path in (ROOT / "scripts").glob("*.py")]
AUDITING = "qmia_tf.auditing."
# What trains, or opens something that can be queried.
QUERYING = r"qmia_tf\.(targets|queries|train|experiments|deploy\.interpreter)"
IMPORT_EDGE = """
import sys
from qmia_tf.programs import evaluate_edge, flag_help, program
from qmia_tf.edge import evaluation, evaluation_text
print(*[name for name in sys.modules if name.partition(".")[0] == "qmia_tf"])
"""


def house():
    sys.path.insert(0, str(ROOT / "docs/figures"))
    try:
        return importlib.import_module("house")
    finally:
        sys.path.remove(str(ROOT / "docs/figures"))


def python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout.split()


class HouseTest(absltest.TestCase):
    def test_downwards_and_to_the_left_only(self):
        self.assertEmpty(house().wrong_doors())

    def test_the_library_knows_neither_paper_nor_tools(self):
        self.assertEqual(house().BESIDE, ("paper", "tools"))
        for user, used in house().imports().items():
            if user.partition(".")[0] == "qmia_tf":
                tops = {name.partition(".")[0] for name in used}
                self.assertNoCommonElements(tops, house().BESIDE, user)

    def test_an_audit_queries_nobody(self):
        names = [n for n in house().imports() if f"{n}.".startswith(AUDITING)]
        for module in house().reached(*names):
            self.assertNotRegex(module, QUERYING)

    def test_no_circle(self):
        self.assertEmpty(house().circles())

    def test_a_circle_is_seen(self):
        graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}}
        self.assertEqual(set(house().circle(graph)), {"b", "c"})
        self.assertEmpty(house().circle({"a": {"b", "c"}, "b": {"c"}}))

    def test_imports_are_what_python_sees(self):
        # Pure; of three neighbours; inside a function; of a package.
        imports = house().imports()
        self.assertEmpty(imports["qmia_tf.errors"])
        self.assertEqual(
            imports["qmia_tf.quantizers.symmetric"],
            {
                "qmia_tf.errors",
                "qmia_tf.quantizers.grids",
                "qmia_tf.quantizers.quantizer",
            },
        )
        self.assertIn(
            "qmia_tf.auditing.record_risk",
            imports["qmia_tf.auditing.risky_members"],
        )
        self.assertContainsSubset(
            {"qmia_tf.deploy", "qmia_tf.deploy.tflite.ports"},
            imports["qmia_tf.targets"],
        )

    def test_every_import_of_a_process_is_found(self):
        seen = set(python(IMPORT_EDGE))
        self.assertContainsSubset(seen, house().reached(*EDGE))


class NamesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        paths = [
            path
            for folder in ("qmia_tf", *house().BESIDE)
            for path in (ROOT / folder).rglob("*.py")
            if path.name != "__init__.py"
        ]
        self.names = [path.stem for path in paths]
        # A program has the name of its command.
        self.own_names = [
            path.stem
            for path in paths
            if path.parent.name != "programs" or path.stem not in PROGRAMS
        ]

    def test_no_two_modules_have_the_same_name(self):
        counts = collections.Counter(self.own_names)
        self.assertEmpty([name for name in counts if counts[name] > 1])

    def test_a_module_is_a_noun(self):
        for name in self.names:
            with self.subTest(name):
                words = name.split("_")
                self.assertTrue(
                    not words[-1].endswith("ing") or words[-1] in NOUNS,
                    "name it after the thing, not after the doing",
                )
                # A participle before a noun is welcome: saved_model.
                self.assertFalse(words[-1].endswith("ed"), "of what?")
                ends = [words[0], words[-1]]
                self.assertNoCommonElements(ends, PREPOSITIONS)
                self.assertNoCommonElements(words, EMPTY_WORDS)


class LightTest(parameterized.TestCase):
    @parameterized.parameters(*LIGHT)
    def test_imports_without_tensorflow(self, name):
        count = int(python(IMPORT_ALL.format(heavy=HEAVY, name=name))[0])
        files = list(ROOT.glob(f"qmia_tf/{name}/**/*.py"))
        self.assertEqual(count, max(len(files), 1))


class EdgeTest(absltest.TestCase):
    def test_imports_little(self):
        self.assertLessEqual(len(python(IMPORT_EDGE)), 41)

    def test_reaches_little(self):
        self.assertLessEqual(len(house().reached(*EDGE)), 41)


if __name__ == "__main__":
    absltest.main()
