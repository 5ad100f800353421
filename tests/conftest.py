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

import durations
import pytest
from absl import flags

from qmia_tf import onednn

# Where paper/ and tools/ lie, which are not installed.
ROOT = str(pathlib.Path(__file__).resolve().parent.parent)
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


# FILE::CLASS -> seconds.
MEASURED = collections.Counter()


def _threads():
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return str(max(1, (os.cpu_count() or 1) // workers))


# TensorFlow's fast kernels on every processor, as programs take them.
onednn.prefer()
# Tests compare what is printed, and may be slow.
os.environ.setdefault("QMIA_PROGRESS_SECONDS", "1e6")
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


def pytest_addoption(parser):
    """Options of scripts/test.sh."""
    parser.addoption(
        "--fast",
        action="store_true",
        help="leave out what trains or converts, and long tests",
    )
    parser.addoption(
        "--measure",
        action="store_true",
        help=f"write {durations.LIST.name} again",
    )


def pytest_ignore_collect(collection_path, config):
    """Leaves files out with --fast; None has pytest decide."""
    is_test = collection_path.name.endswith("_test.py")
    if config.getoption("fast") and is_test:
        return durations.trains_or_converts(collection_path) or None
    return None


def pytest_collection_modifyitems(config, items):
    """Drops long classes with --fast; sorts the others.

    tf.test.TestCase.test_session is a method and not a test. Files that take
    long come first, then those of many tests, so that no worker has a long one
    left when the others are done.
    """
    seconds = durations.read()
    items[:] = [
        item
        for item in items
        if item.name != "test_session"
        and not (
            config.getoption("fast")
            and durations.class_of(item.nodeid) in seconds
        )
    ]
    file_seconds = collections.Counter()
    for name, value in seconds.items():
        file_seconds[name.partition("::")[0]] += value
    tests = collections.Counter(item.path for item in items)
    items.sort(
        key=lambda item: (
            -file_seconds[item.nodeid.partition("::")[0]],
            -tests[item.path],
            str(item.path),
        )
    )


def pytest_runtest_logreport(report):
    """Notes how long a test, its setup or its cleanup took."""
    MEASURED[durations.class_of(report.nodeid)] += report.duration


def pytest_sessionfinish(session):
    """Writes the list of long tests, in the process that has all of them."""
    config = session.config
    if config.getoption("measure") and not hasattr(config, "workerinput"):
        durations.write(MEASURED)


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
