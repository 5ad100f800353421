"""Damaged files: InputError on one line, or read; never anything else."""

import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import tracemalloc
import warnings

import apart
import kinds
import mutations
from absl.testing import absltest, parameterized
from hypothesis import HealthCheck, given, settings

from qmia_tf.errors import InputError

# How many of each kind; scripts/fuzz.sh gives more, and keeps what fails.
EXAMPLES = int(os.environ.get("QMIA_FUZZ_EXAMPLES", 100))
KEEP = "QMIA_FUZZ_EXAMPLES" in os.environ
# None of the files is larger than 1 MB.
MEMORY = 200 << 20
LENGTH = 700


def check(name, content, reader=None):
    """Raises AssertionError if a file is not read, nor refused as it ought."""
    kind = kinds.ALL[name]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fuzz-"))
    traced = kind.suffix != ".json" and reader is None
    if traced:
        tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kinds.read(kind, content, folder, reader and reader.read)
    except InputError as error:
        text = str(error)
        text.encode()
        assert "\n" not in text, text
        assert pathlib.Path(kind.path).name in text, text
        assert len(text) < LENGTH, text
    finally:
        shutil.rmtree(folder)
        if traced:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < MEMORY, f"{peak / 1e6:.0f} MB"


class Fuzzed(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.readers = {}

    @classmethod
    def tearDownClass(cls):
        for reader in cls.readers.values():
            reader.close()
        super().tearDownClass()

    def check_good(self, name):
        kind = kinds.ALL[name]
        folder = pathlib.Path(self.create_tempdir())
        reader = self.reader(name)
        kinds.read(kind, kind.good(), folder, reader and reader.read)

    def check_at_random(self, name):
        kind = kinds.ALL[name]
        reader = self.reader(name)
        self.failing = None

        @settings(
            max_examples=max(2, round(EXAMPLES * kind.share)),
            deadline=None,
            database=None,
            derandomize=not KEEP,
            suppress_health_check=list(HealthCheck),
        )
        @given(mutations.damaged(kind.good(), kind.suffix))
        def run(content):
            try:
                check(name, content, reader)
            except Exception:
                self.failing = content
                raise

        try:
            run()
        except Exception:
            # Hypothesis has made it small and run it last.
            if KEEP and self.failing is not None:
                self.keep(name)
            raise

    def check_corpus(self, name):
        for path in kinds.corpus(name):
            with self.subTest(path.name):
                check(name, path.read_bytes(), self.reader(name))

    def keep(self, name):
        digest = hashlib.sha256(self.failing).hexdigest()[:12]
        path = kinds.CORPUS / name / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.failing)

    def reader(self, name):
        """What reads files of a kind in a process of its own, or None."""
        if not kinds.ALL[name].apart:
            return None
        return self.readers.setdefault(name, apart.Reader(name))


class DamagedFilesTest(Fuzzed):
    @parameterized.parameters(*kinds.KINDS)
    def test_a_good_one_is_read(self, name):
        self.check_good(name)

    @parameterized.parameters(*kinds.KINDS)
    def test_damaged_at_random(self, name):
        self.check_at_random(name)

    @parameterized.parameters(*kinds.KINDS)
    def test_damaged_as_once(self, name):
        self.check_corpus(name)

    @parameterized.parameters(
        ("config", "split", {"seed": -1, "member_fraction": 0.5}, "split.seed"),
        ("config", "model", None, "model holds 'None'"),
        ("config", "recipe", 3, "recipe holds '3'"),
        ("config", "seed", "x", "seed holds 'x' .expected int, got str."),
        ("parity", 0, {"sha256": []}, r"\[0\]: sha256 holds"),
        ("manifest", "int8", {"file": "../x"}, "'int8': "),
    )
    def test_the_field_is_named(self, name, key, value, message):
        kind = kinds.KINDS[name]
        tree = json.loads(kind.good())
        tree[key] = value
        with self.assertRaisesRegex(InputError, message):
            kinds.read(
                kind,
                json.dumps(tree).encode(),
                pathlib.Path(self.create_tempdir()),
            )


class DamagedModelsTest(Fuzzed):
    """Model files, which are opened and queried."""

    @parameterized.parameters(*kinds.MODELS)
    def test_a_good_one_is_read(self, name):
        if name == "tflite_loop":
            self.skipTest("it has no end")
        self.check_good(name)

    @parameterized.parameters(*kinds.MODELS)
    def test_damaged_at_random(self, name):
        self.check_at_random(name)

    @parameterized.parameters(*kinds.MODELS)
    def test_damaged_as_once(self, name):
        self.check_corpus(name)


if __name__ == "__main__":
    absltest.main()
