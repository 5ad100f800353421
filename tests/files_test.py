"""Tests of files that are whole or absent."""

import errno
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import files
from qmia_tf.errors import InputError
from qmia_tf.run_dir import RunDir


class Folder(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)

    def names(self, folder=None):
        return sorted(path.name for path in (folder or self.dir).iterdir())


class AtomicTest(Folder):
    def test_makes_the_file_and_its_folders(self):
        path = self.dir / "a" / "b" / "model.keras"
        with files.atomic(path) as temporary:
            self.assertEqual(temporary.name, "model.keras")
            temporary.write_bytes(b"whole")
            self.assertFalse(path.exists())
            self.assertEmpty(list(path.parent.glob("*.keras")))
        self.assertEqual(path.read_bytes(), b"whole")
        self.assertEqual(self.names(path.parent), ["model.keras"])

    def test_reader_of_the_old_file_keeps_it_whole(self):
        path = self.dir / "x.json"
        path.write_bytes(b"old")
        with path.open("rb") as reader:
            files.write_bytes(path, b"new")
            self.assertEqual(reader.read(), b"old")
        self.assertEqual(path.read_bytes(), b"new")

    def test_permissions_are_those_of_any_new_file(self):
        plain = self.dir / "plain"
        plain.write_bytes(b"")
        files.write_bytes(self.dir / "ours", b"")
        mode = (self.dir / "ours").stat().st_mode
        self.assertEqual(mode, plain.stat().st_mode)

    @parameterized.parameters(RuntimeError, KeyboardInterrupt)
    def test_failure_keeps_the_old_file(self, failure):
        path = self.dir / "x.json"
        path.write_bytes(b"old")
        with self.assertRaises(failure), files.atomic(path) as temporary:
            temporary.write_bytes(b"half")
            raise failure
        self.assertEqual(path.read_bytes(), b"old")
        self.assertEqual(self.names(), ["x.json"])

    def test_killed_process_leaves_nothing_to_take_for_whole(self):
        path = self.dir / "outputs" / "keras.npz"
        code = (
            "import os, signal\n"
            "from qmia_tf import files\n"
            f"with files.atomic({str(path)!r}) as temporary:\n"
            "    temporary.write_bytes(b'half')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        done = subprocess.run([sys.executable, "-c", code])
        self.assertEqual(done.returncode, -signal.SIGKILL)
        self.assertFalse(path.exists())
        self.assertEmpty(list(path.parent.glob("*.npz")))
        files.write_bytes(path, b"whole")
        self.assertEqual(path.read_bytes(), b"whole")

    @parameterized.named_parameters(
        ("errno", OSError(errno.ENOSPC, "No space left on device")),
        ("quota", OSError(errno.EDQUOT, "Disk quota exceeded")),
        # The words of h5py 3.14, which sets no errno.
        ("h5py", OSError("Can't write data (No space left on device)")),
        ("runtime", RuntimeError("writing x: No space left on device")),
    )
    def test_full_disk_while_writing(self, failure):
        path = self.dir / "model.keras"
        path.write_bytes(b"old")
        with (
            self.assertRaisesRegex(
                InputError,
                r"model\.keras: the disk is full \(stopped after 2\.0 MB",
            ),
            files.atomic(path) as temporary,
        ):
            temporary.write_bytes(b"x" * 2_000_000)
            raise failure
        self.assertEqual(path.read_bytes(), b"old")
        self.assertEqual(self.names(), ["model.keras"])

    def test_file_larger_than_files_may_be(self):
        path = self.dir / "model.keras"
        body = (
            "import sys; from qmia_tf import files\n"
            "files.write_bytes(sys.argv[1], bytes(100_000))"
        )
        limited = f'ulimit -f 8; exec "{sys.executable}" -c "$1" "$2"'
        done = subprocess.run(
            ["sh", "-c", limited, "sh", body, str(path)],
            capture_output=True,
            text=True,
        )
        self.assertRegex(
            done.stderr,
            r"InputError: .*model\.keras: files may not grow beyond 0\.0 MB",
        )
        self.assertEmpty(self.names())

    @parameterized.parameters(
        # The words of TensorFlow, which sets no errno.
        ("the disk is full", "variables.data; No space left on device"),
        ("files may not grow beyond 0.1 MB", "saved_model.pb; File too large"),
    )
    def test_no_room_for_temporary_files(self, message, words):
        place = tempfile.gettempdir()
        with (
            self.assertRaisesRegex(
                InputError, rf"temporary files in {place} \(TMPDIR\): {message}"
            ),
            files.scratch_folder() as folder,
        ):
            (folder / "part").write_bytes(bytes(100_000))
            raise RuntimeError(words)
        self.assertFalse(folder.exists())
        with self.assertRaises(ZeroDivisionError):
            with files.scratch_folder() as folder:
                1 / 0  # noqa: B018
        self.assertFalse(folder.exists())

    def test_full_disk_found_by_the_final_flush(self):
        path = self.dir / "x"
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(os, "fsync", side_effect=full):
            with self.assertRaisesRegex(InputError, "the disk is full"):
                files.write_bytes(path, b"data")
        self.assertEmpty(self.names())

    def test_other_errors_of_the_block_pass_unchanged(self):
        with self.assertRaises(FileNotFoundError):
            with files.atomic(self.dir / "x"):
                (self.dir / "missing").read_bytes()

    @parameterized.parameters("file/x.npz", "file/deep/x.npz", "folder")
    def test_place_that_cannot_be_written(self, name):
        (self.dir / "file").write_bytes(b"")
        (self.dir / "folder").mkdir()
        with self.assertRaisesRegex(InputError, f"cannot write .*{name}"):
            files.write_bytes(self.dir / name, b"data")
        self.assertEqual(self.names(), ["file", "folder"])


class RealFullDiskTest(Folder):
    """A tmpfs of 256 KB, where the machine lets the tests mount one."""

    def setUp(self):
        super().setUp()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", self.dir],
            capture_output=True,
        )
        if mounted.returncode:
            self.skipTest("mounting a small file system is not permitted here")
        self.addCleanup(subprocess.run, ["umount", self.dir], check=True)

    def test_old_file_stays_and_space_is_given_back(self):
        path = self.dir / "outputs.npz"
        files.write_npz(path, small=np.arange(10))
        noise = np.random.default_rng(0).integers(0, 256, 10**6, np.uint8)
        with self.assertRaisesRegex(
            InputError, r"outputs\.npz: the disk is full .* 0\.\d MB free"
        ):
            files.write_npz(path, noise=noise)
        self.assertAllEqual(files.read_npz(path)["small"], np.arange(10))
        self.assertEqual(self.names(), ["outputs.npz"])
        files.write_bytes(self.dir / "next", b"x" * 100_000)

    def test_new_run_on_a_full_disk(self):
        free = os.statvfs(self.dir).f_bavail * os.statvfs(self.dir).f_frsize
        (self.dir / "filler").write_bytes(b"x" * free)
        with self.assertRaises(InputError):
            RunDir(self.dir / "run").open({"seed": 0})
        self.assertFalse((self.dir / "run" / "config.json").exists())


class FilesTest(Folder):
    def test_json_round_trip(self):
        obj = {"b": [1, 2.5, None, "\u00e9"], "a": {"x": True}}
        files.write_json(self.dir / "x.json", obj)
        self.assertEqual(files.read_json(self.dir / "x.json"), obj)

    def test_json_lists_of_numbers_are_one_line_each(self):
        path = self.dir / "x.json"
        obj = {
            "curve": [0.5, -1e-09, None, 3],
            "pairs": [[1, 2], [3, 4]],
            "text": ["[\n 1,\n 2\n]", "null"],
            "mixed": [1, "a", True],
            "empty": [],
            "points": [{"rate": [1.5]}],
        }
        files.write_json(path, obj)
        self.assertEqual(files.read_json(path), obj)
        lines = path.read_text().splitlines()
        self.assertIn('  "curve": [ 0.5, -1e-09, null, 3 ],', lines)
        self.assertIn("    [ 1, 2 ],", lines)
        self.assertIn('      "rate": [ 1.5 ]', lines)
        # Nothing but lists of numbers is joined: indented as before.
        self.assertEqual(
            lines[lines.index('  "mixed": [') :][:5],
            ['  "mixed": [', "    1,", '    "a",', "    true", "  ],"],
        )

    def test_json_has_no_nan(self):
        with self.assertRaises(ValueError):
            files.write_json(self.dir / "x.json", {"auc": float("nan")})
        self.assertEmpty(self.names())

    @parameterized.parameters(b'{"a": 1', b"", b"\xff\xfe")
    def test_damaged_json(self, data):
        (self.dir / "x.json").write_bytes(data)
        with self.assertRaisesRegex(InputError, "x.json is not valid JSON"):
            files.read_json(self.dir / "x.json")

    def test_missing_json(self):
        with self.assertRaisesRegex(InputError, "x.json: No such file"):
            files.read_json(self.dir / "x.json")

    def test_sha256(self):
        # The example of FIPS 180-2, appendix B.1.
        (self.dir / "x").write_bytes(b"abc")
        self.assertEqual(
            files.sha256(self.dir / "x"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        )

    def test_npz_round_trip(self):
        arrays = {
            "x": np.eye(3, dtype=np.float32),
            "name": np.array("caf\u00e9"),
        }
        files.write_npz(self.dir / "x.npz", **arrays)
        stored = files.read_npz(self.dir / "x.npz")
        self.assertEqual(stored.keys(), arrays.keys())
        self.assertAllEqual(stored["x"], np.eye(3))
        self.assertEqual(stored["x"].dtype, np.float32)
        self.assertEqual(str(stored["name"]), "caf\u00e9")

    def test_npz_takes_no_python_objects(self):
        with self.assertRaisesRegex(ValueError, "'bad' holds Python objects"):
            files.write_npz(self.dir / "x.npz", bad=np.array([{}, None]))
        self.assertEmpty(self.names())

    def test_pickled_objects_are_named_and_not_run(self):
        trace = self.dir / "trace"

        class Attack:
            def __reduce__(self):
                return os.mkdir, (str(trace),)

        np.savez(self.dir / "x.npz", a=[1], bad=np.array([Attack()], object))
        with self.assertRaisesRegex(InputError, "'bad' holds pickled"):
            files.read_npz(self.dir / "x.npz")
        self.assertFalse(trace.exists())

    def test_damaged_npz(self):
        path = self.dir / "x.npz"
        values = np.random.default_rng(0).integers(0, 256, 5000, np.uint8)
        files.write_npz(path, values=values)
        whole = bytearray(path.read_bytes())
        flipped = whole.copy()
        flipped[2500] ^= 1
        np.save(self.dir / "x.npy", values)
        cases = {
            "one bit flipped": flipped,
            "cut off": whole[:2500],
            "empty": b"",
            "text": b"images, labels",
            "a plain .npy": (self.dir / "x.npy").read_bytes(),
        }
        for case, data in cases.items():
            with self.subTest(case):
                path.write_bytes(data)
                with self.assertRaisesRegex(InputError, "x.npz is damaged"):
                    files.read_npz(path)

    def test_missing_npz(self):
        with self.assertRaisesRegex(InputError, "x.npz: No such file"):
            files.read_npz(self.dir / "x.npz")


class ImportTest(tf.test.TestCase):
    def test_is_numpy_only(self):
        code = (
            "import sys; import qmia_tf.files; "
            "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    tf.test.main()
