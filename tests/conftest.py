"""What pytest needs to run tf.test.TestCase files, several in one process.

Read before any test file, so before TensorFlow and NumPy are imported.
"""

import collections
import gc
import os
import pathlib
import shutil
import sys
import tempfile

import pytest
from absl import flags

from qmia_tf import onednn

# Where paper/ and tools/ lie, which are not installed.
ROOT = str(pathlib.Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

# Of few tests, each of which runs whole programs.
LONG = (
    "docs_test.py",
    "examples_test.py",
    "golden_test.py",
    "notebook_test.py",
    "scripts_test.py",
    "training_test.py",
    "walkthroughs_test.py",
    "workflow_test.py",
)


def _threads():
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return str(max(1, (os.cpu_count() or 1) // workers))


# TensorFlow's fast kernels on every processor, as programs take them.
onednn.prefer()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
for _name in (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
):
    os.environ.setdefault(_name, _threads())


def pytest_configure(config):
    """Lets absl's create_tempdir work, in a folder of this process's own."""
    config.qmia_tmpdir = tempfile.mkdtemp(prefix="qmia_tf_tests_")
    os.environ["TEST_TMPDIR"] = os.path.join(config.qmia_tmpdir, "")
    flags.FLAGS.mark_as_parsed()


def pytest_unconfigure(config):
    """Removes what the tests wrote."""
    shutil.rmtree(config.qmia_tmpdir, ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Drops tf.test.TestCase.test_session, a method and not a test.

    Files that take long come first, then those of many tests, so that no
    worker has a long one left when the others are done.
    """
    items[:] = [item for item in items if item.name != "test_session"]
    tests = collections.Counter(item.path for item in items)
    items.sort(
        key=lambda item: (
            item.path.name not in LONG,
            -tests[item.path],
            str(item.path),
        )
    )


def pytest_collection_finish():
    """Takes the imports and the tests out of every later collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def leave_no_trace():
    """Hands the next file the environment and the Keras state this one got.

    What lives on, millions of objects after some files, is taken out of the
    later collections, which took a third of the suite's time.
    """
    environment = dict(os.environ)
    folder = os.getcwd()
    yield
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if "keras" in sys.modules:
        keras = sys.modules["keras"]
        keras.utils.clear_session(free_memory=False)
        keras.config.set_dtype_policy("float32")
    gc.collect()
    gc.freeze()
