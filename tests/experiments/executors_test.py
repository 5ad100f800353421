"""Every executor does the same with the same jobs."""

import dataclasses
import errno
import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import types
from unittest import mock

import slow_tests
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf import extras, terminal
from qmia_tf.errors import InputError
from qmia_tf.experiments import executors
from qmia_tf.experiments.executors import (
    EXECUTORS,
    Job,
    Resources,
    job_memory,
)

HERE = str(pathlib.Path(__file__).parent)
RAY = importlib.util.find_spec("ray") is not None
LAST = 6
# Runs jobs until it is killed.
PARENT = """
import sys
from qmia_tf.experiments import executors
from qmia_tf.experiments.executors import Job, Resources
import pathlib
folder = pathlib.Path(sys.argv[1])
jobs = [
    Job(
        name,
        "executor_jobs:count",
        {"folder": folder / name, "last": 1000, "seconds": 0.05},
        folder / f"{name}.log",
    )
    for name in ("a", "b")
]
if __name__ == "__main__":
    executors.execute(
        jobs, [1], executor="process", resources=Resources(workers=2)
    )
"""


class Case(parameterized.TestCase, tf.test.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(self.create_tempdir().full_path)
        paths = os.pathsep.join([HERE, os.environ.get("PYTHONPATH", "")])
        self.enterContext(mock.patch.dict(os.environ, {"PYTHONPATH": paths}))
        self.enterContext(mock.patch.object(sys, "path", [HERE, *sys.path]))
        self.lines = []
        self.enterContext(mock.patch.object(terminal, "say", self.lines.append))

    def job(self, name, function="count", **arguments):
        if function == "count":
            arguments = {"folder": self.dir / name, "last": LAST, **arguments}
        log = self.dir / "logs" / f"{name}.log"
        return Job(name, f"executor_jobs:{function}", arguments, log)

    def files(self, name):
        return {
            path.name: path.read_text()
            for path in (self.dir / name).iterdir()
            if path.name != "killed"
        }

    def execute(self, jobs, executor, **options):
        if executor == "ray" and not RAY:
            self.skipTest("Ray is not installed: pip install 'qmia_tf[ray]'")
        resources = Resources(**{"workers": 2, **options})
        return executors.execute(
            jobs, [3], executor=executor, resources=resources, noun="model"
        )


class ContractTest(Case):
    @parameterized.parameters(*EXECUTORS.names())
    def test_all_run_and_a_failed_one_stops_nobody(self, executor):
        jobs = [
            self.job("a"),
            self.job("bad", "fail", message="no such weight\nsecond line"),
            self.job("b", last=3),
        ]
        failed = self.execute(jobs, executor)
        self.assertEqual(failed, {"bad": "ValueError: no such weight"})
        self.assertEqual(
            self.files("a"), {str(i): str(3 * i) for i in range(LAST)}
        )
        self.assertLen(self.files("b"), 3)
        self.assertIn("Traceback", jobs[1].log.read_text())
        self.assertLen(self.lines, 3)
        self.assertRegex(
            self.lines[-1], r"^model \w+ .*; \d of 3 done, 1 failed$"
        )

    @parameterized.parameters("process", "ray")
    def test_a_job_whose_process_died_goes_on(self, executor):
        jobs = [
            self.job("a", die_at=2),
            *(self.job(name) for name in ("b", "c", "d")),
        ]
        self.assertEqual(self.execute(jobs, executor), {})
        for job in jobs:
            self.assertLen(self.files(job.name), LAST)
        self.assertTrue((self.dir / "a" / "killed").exists())

    @parameterized.parameters("process", "ray")
    def test_a_job_that_always_dies_is_given_up(self, executor):
        # The other one is slow: it is running at each death.
        jobs = [self.job("dead", "die"), self.job("a", seconds=0.3)]
        failed = self.execute(jobs, executor)
        self.assertEqual(list(failed), ["dead"])
        self.assertRegex(failed["dead"], "died")
        self.assertLen(self.files("a"), LAST)

    @parameterized.parameters("process", "ray")
    def test_what_a_worker_prints_is_in_its_log(self, executor):
        jobs = [self.job("a")]
        self.execute(jobs, executor, threads=1)
        self.assertIn("counted with 1 threads", jobs[0].log.read_text())


@slow_tests.slow
class ClusterTest(Case):
    """Two Ray nodes on this machine, one of which is killed.

    Slow, because a node ends itself if its agents take 15 s to start, as they
    do on two busy cores.
    """

    def test_jobs_of_a_killed_node_go_on_elsewhere(self):
        if not RAY:
            self.skipTest("Ray is not installed: pip install 'qmia_tf[ray]'")
        from ray import cluster_utils

        cluster = cluster_utils.Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1}
        )
        self.addCleanup(cluster.shutdown)
        node = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        jobs = [self.job(name, last=20, seconds=0.5) for name in "abcd"]

        def kill():
            # One runs on either node.
            for _ in range(1200):
                if sum((self.dir / x.name / "3").exists() for x in jobs) > 1:
                    break
                time.sleep(0.1)
            cluster.remove_node(node, allow_graceful=False)

        killer = threading.Thread(target=kill)
        killer.start()
        failed = self.execute(
            jobs, "ray", workers=None, ray_address=cluster.address
        )
        killer.join()
        self.assertEqual(failed, {})
        for job in jobs:
            self.assertLen(self.files(job.name), 20)
        starts = [job.log.read_text().count("== ") for job in jobs]
        self.assertEqual(sorted(starts), [1, 1, 1, 2])


class ProcessTest(Case):
    def test_workers_end_with_their_parent(self):
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(self.dir)],
            start_new_session=True,
        )
        self.addCleanup(parent.wait)
        for _ in range(600):
            if all((self.dir / x / "2").exists() for x in "ab"):
                break
            time.sleep(0.1)
        # Not its group: workers must see it themselves.
        os.kill(parent.pid, signal.SIGKILL)
        time.sleep(2)
        counts = [len(self.files(name)) for name in "ab"]
        self.assertGreater(min(counts), 2)
        time.sleep(1)
        self.assertEqual(counts, [len(self.files(name)) for name in "ab"])

    def test_as_many_workers_as_there_are_processors(self):
        with mock.patch.object(executors, "processors", return_value=8):
            self.assertEqual(Resources(threads=2).workers_here(), 4)
            self.assertEqual(Resources(threads=16).workers_here(), 1)
            self.assertEqual(Resources(workers=3).workers_here(), 3)


class MemoryTest(Case):
    def free(self, gigabytes):
        free = None if gigabytes is None else int(gigabytes * 1e9)
        self.enterContext(
            mock.patch.object(job_memory, "free_bytes", return_value=free)
        )

    def test_more_jobs_than_fit_are_refused_with_the_numbers(self):
        self.free(6.5)
        jobs = [self.job(name) for name in "abcdefgh"]
        for options, words in (
            (
                {"workers": 7, "job_bytes": 2_000_000_000},
                r"7 jobs at a time need about 14.0 GB of memory \(2.0 GB each, "
                r"measured when the run was trained\), and 6.5 GB are free: "
                r"give workers=3 or fewer",
            ),
            ({"workers": 7}, r"1.2 GB each, estimated\).* workers=5 or fewer"),
        ):
            with self.assertRaisesRegex(InputError, words):
                self.execute(jobs, "process", **options)
        self.assertEmpty(list(self.dir.iterdir()))

    def test_no_more_than_there_are_jobs_and_one_always_run(self):
        self.free(1.5)
        self.assertEqual(
            self.execute([self.job("a")], "process", workers=9), {}
        )
        self.free(0.1)
        self.assertEqual(
            self.execute([self.job("b")], "process", workers=1), {}
        )

    def test_by_default_as_many_as_fit(self):
        self.enterContext(
            mock.patch.object(executors, "processors", return_value=8)
        )
        for free, job_bytes, count in (
            (100, None, 8),
            (4.9, None, 4),
            (4.9, 3_000_000_000, 1),
            (0.2, None, 1),
            (None, None, 8),
        ):
            self.free(free)
            found = Resources(job_bytes=job_bytes).workers_here()
            self.assertEqual(found, count, (free, job_bytes))

    def test_a_container_has_its_own_limit(self):
        group = self.dir / "group"
        group.mkdir()
        self.enterContext(mock.patch.object(job_memory, "CGROUP", group))
        without = job_memory.free_bytes()
        for name, text in (
            ("memory.max", "1000000\n"),
            ("memory.current", "700000\n"),
            ("memory.stat", "anon 100\ninactive_file 200000\n"),
        ):
            (group / name).write_text(text)
        self.assertEqual(job_memory.free_bytes(), 500000)
        (group / "memory.max").write_text("max\n")
        if without is not None:
            self.assertGreater(job_memory.free_bytes(), 1e6)

    @parameterized.parameters("process", "serial")
    def test_no_space_left_is_one_line_and_stops_no_other(self, executor):
        full = dataclasses.replace(
            self.job("a", "fail", message=os.strerror(errno.ENOSPC)),
            log=pathlib.Path("/dev/full"),
        )
        if not full.log.exists():
            self.skipTest("there is no /dev/full")
        failed = self.execute([full, self.job("b")], executor)
        self.assertEqual(list(failed), ["a"])
        self.assertRegex(failed["a"], "No space left on device")
        self.assertLen(self.files("b"), LAST)


class InputTest(Case):
    def test_unknown_executor(self):
        with self.assertRaisesRegex(InputError, "no executor 'proces': .*mean"):
            self.execute([], "proces")

    @parameterized.parameters("workers", "threads")
    def test_numbers(self, name):
        with self.assertRaisesRegex(InputError, f"{name} must be 1 or more"):
            Resources(**{name: 0})

    def test_without_ray(self):
        with (
            mock.patch.object(extras, "is_installed", return_value=False),
            self.assertRaisesRegex(InputError, r"pip install .*qmia_tf\[ray\]"),
        ):
            executors.execute([self.job("a")], [1], executor="ray")

    @parameterized.parameters(
        ("local", "Ray did not start on this machine .the node timed out.:"),
        ("auto", "no Ray cluster at 'auto' .the node timed out.: start one"),
    )
    def test_a_cluster_that_does_not_start(self, address, pattern):
        fake = types.SimpleNamespace(
            init=mock.Mock(side_effect=Exception("the node timed out\nlong"))
        )
        with (
            mock.patch.dict(sys.modules, ray=fake),
            mock.patch.object(extras, "require"),
            self.assertRaisesRegex(InputError, pattern),
        ):
            executors.execute(
                [self.job("a")],
                [1],
                executor="ray",
                resources=Resources(ray_address=address),
            )
        # Its own word: none would join a cluster that happens to be there.
        self.assertEqual(fake.init.call_args.kwargs["address"], address)

    def test_unreachable_cluster(self):
        if not RAY:
            self.skipTest("Ray is not installed: pip install 'qmia_tf[ray]'")
        with self.assertRaisesRegex(InputError, "no Ray cluster at '127.0.0.1"):
            self.execute([self.job("a")], "ray", ray_address="127.0.0.1:1")


if __name__ == "__main__":
    tf.test.main()
