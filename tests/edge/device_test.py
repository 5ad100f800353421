"""Tests of what a machine is said to be."""

import json
import os
import pathlib
import platform
import subprocess
import sys
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from qmia_tf.edge import device

INTEL = """processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 85
model name\t: Intel(R) Xeon(R) CPU @ 2.00GHz

processor\t: 1
model\t\t: 85
model name\t: Intel(R) Xeon(R) CPU @ 2.00GHz
"""
RASPBERRY = """processor\t: 0
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd08

Revision\t: c03111
Model\t\t: Raspberry Pi 4 Model B Rev 1.1
"""
PHONE = """Processor\t: AArch64 Processor rev 14 (aarch64)
CPU part\t: 0x804
Hardware\t: Qualcomm Technologies, Inc SDM845
"""


class FactsTest(parameterized.TestCase):
    @parameterized.parameters(
        (INTEL, "Intel(R) Xeon(R) CPU @ 2.00GHz", None),
        (
            RASPBERRY,
            "implementer 0x41, part 0xd08",
            "Raspberry Pi 4 Model B Rev 1.1",
        ),
        (PHONE, "Qualcomm Technologies, Inc SDM845", None),
        ("", None, None),
    )
    def test_processor(self, text, cpu, board):
        path = pathlib.Path(self.create_tempdir().full_path) / "cpuinfo"
        path.write_text(text)
        with (
            mock.patch.object(device, "CPUINFO", path),
            mock.patch.object(platform, "processor", lambda: ""),
        ):
            facts = device.facts()
        self.assertEqual((facts["cpu"], facts["board"]), (cpu, board))

    def test_without_cpuinfo(self):
        with (
            mock.patch.object(device, "CPUINFO", pathlib.Path("/no/such")),
            mock.patch.object(platform, "processor", lambda: "arm"),
        ):
            self.assertEqual(device.facts()["cpu"], "arm")

    def test_the_rest(self):
        facts = device.facts()
        self.assertEqual(facts["machine"], platform.machine())
        self.assertEqual(facts["versions"]["numpy"], np.__version__)
        self.assertRegex(facts["versions"]["ai-edge-litert"], r"^\d+\.\d+")
        self.assertStartsWith(sys.version, facts["python"])
        self.assertEqual(json.loads(json.dumps(facts)), facts)

    @absltest.skipUnless(hasattr(os, "sched_setaffinity"), "Linux only")
    def test_cores_are_those_that_may_be_used(self):
        allowed = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, allowed)
        os.sched_setaffinity(0, {min(allowed)})
        self.assertEqual(device.cores(), 1)

    def test_package_that_is_not_there(self):
        with mock.patch.object(device, "PACKAGES", ("no-such-package",)):
            self.assertEqual(
                device.facts()["versions"], {"no-such-package": None}
            )


class PeakMemoryTest(absltest.TestCase):
    def test_counts_bytes(self):
        code = (
            "from qmia_tf.edge import device; before = device.peak_memory();"
            "kept = bytearray(b'x' * 50_000_000); del kept;"
            "print(before, device.peak_memory())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True
        )
        before, after = map(int, done.stdout.split())
        self.assertBetween(before, 5e6, 200e6)
        self.assertBetween(after - before, 49e6, 110e6)

    @absltest.skipIf(os.name == "nt", "Windows does not count")
    def test_where_there_is_no_proc(self):
        import resource

        usage = mock.Mock(ru_maxrss=3000)
        with (
            mock.patch.object(device, "STATUS", pathlib.Path("/no/such")),
            mock.patch.object(resource, "getrusage", lambda whose: usage),
        ):
            with mock.patch.object(sys, "platform", "freebsd14"):
                self.assertEqual(device.peak_memory(), 3_072_000)
            with mock.patch.object(sys, "platform", "darwin"):
                self.assertEqual(device.peak_memory(), 3000)


if __name__ == "__main__":
    absltest.main()
