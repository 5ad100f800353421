"""An emulated Raspberry Pi 4 (Cortex-A72): QEMU runs aarch64 Python.

No root, no container, no registered binary format. QEMU's user emulator and
Debian's aarch64 Python come through apt-get in a private state, the wheels
through pip; they are unpacked, not installed.

    board = emulated_board.build()
    board.run(["program.py", "--flag"], cwd=folder)

The first build needs the network and some ten seconds, and keeps 200 MB below
the user's cache folder, where the next one finds them.
"""

import dataclasses
import functools
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
EMULATOR = "qemu-aarch64-static"
# Of Debian: what they depend on comes with them.
PROGRAMS = ("python3", "libstdc++6", "libgomp1")
WHEELS = ("ai-edge-litert", "numpy", "absl-py", "tqdm", "filelock")
PLATFORMS = ("2_28", "2_27", "2_17")
# LiteRT reads these files to find out what the processor can do. Those of
# the machine below would make every optimized kernel fail.
CPUINFO = """
    processor\t: 0
    BogoMIPS\t: 108.00
    Features\t: fp asimd evtstrm crc32 cpuid
    CPU implementer\t: 0x41
    CPU architecture: 8
    CPU variant\t: 0x0
    CPU part\t: 0xd08
    CPU revision\t: 3

    Model\t\t: emulated Cortex-A72
"""
SYSTEM = {
    "possible": "0",
    "present": "0",
    "kernel_max": "0",
    "cpu0/topology/core_id": "0",
    "cpu0/topology/physical_package_id": "0",
    "cpu0/topology/core_siblings": "1",
    "cpu0/topology/core_siblings_list": "0",
    "cpu0/topology/thread_siblings": "1",
    "cpu0/topology/thread_siblings_list": "0",
}


class Unavailable(Exception):
    """Why the board cannot be had on this machine."""


@dataclasses.dataclass(frozen=True)
class Board:
    """An unpacked board: folders root (Debian), site (wheels) and qemu."""

    place: pathlib.Path

    def run(self, arguments, *, cwd, timeout=600):
        """Runs Python there.

        Args:
            arguments: of the interpreter: a program and its flags.
            cwd: the working directory; files outside the root are this
                machine's.
            timeout: in seconds.
        Returns: subprocess.CompletedProcess with text.
        """
        root = self.place / "root"
        variables = {
            "PYTHONPATH": f"{self.place / 'site'}:{CHECKOUT}",
            "PYTHONHOME": root / "usr",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        given = [f"{name}={value}" for name, value in variables.items()]
        return subprocess.run(
            [
                self.place / "qemu" / EMULATOR,
                *("-L", root),
                *(word for pair in given for word in ("-E", pair)),
                _python(root),
                *arguments,
            ],
            env={**_clean(os.environ), "QEMU_CPU": "cortex-a72"},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


def build() -> Board:
    """Builds the board, or finds the one that was built before.

    Raises: Unavailable if a tool, a package or the network is missing.
    """
    place = _cache() / f"board-{_key()}"
    if place.is_dir():
        return Board(place)
    for tool in ("apt-get", "dpkg"):
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not here: this is no Debian")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        work = pathlib.Path(folder)
        _fetch_debian(work)
        _fetch_wheels(work)
        whole = work / "board"
        whole.mkdir()
        for part in ("root", "site", "qemu"):
            (work / part).rename(whole / part)
        try:
            whole.rename(place)
        except OSError:
            # Another process was quicker.
            if not place.is_dir():
                raise
    return Board(place)


def _cache():
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(home).expanduser() / "qmia_tf"


def _key():
    """Names the board by what it is made of."""
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    digest.update((CHECKOUT / "constraints.txt").read_bytes())
    return digest.hexdigest()[:16]


def _fetch_debian(work):
    """Unpacks Debian's Python into root and QEMU into qemu."""
    native = _checked(["dpkg", "--print-architecture"]).strip()
    apt = functools.partial(_apt, work, native)
    apt("update")
    apt("install", "--download-only", "--yes", *PROGRAMS)
    for archive in (work / "cache" / "archives").glob("*.deb"):
        _checked(["dpkg", "-x", archive, work / "root"])
    apt("download", f"qemu-user-static:{native}")
    for archive in work.glob("*.deb"):
        _checked(["dpkg", "-x", archive, work / "emulators"])
    (work / "qemu").mkdir()
    for emulator in (work / "emulators").glob(f"usr/bin/{EMULATOR}"):
        emulator.rename(work / "qemu" / EMULATOR)
    for name, text in SYSTEM.items():
        _write(work / "root/sys/devices/system/cpu" / name, f"{text}\n")
    cpuinfo = textwrap.dedent(CPUINFO).lstrip()
    _write(work / "root/proc/cpuinfo", cpuinfo)
    if not (work / "qemu" / EMULATOR).is_file():
        raise Unavailable(f"qemu-user-static holds no {EMULATOR}")
    _python(work / "root")


def _apt(work, native, *arguments):
    """Runs apt-get on aarch64, as if nothing were installed."""
    for name in ("state", "lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True, exist_ok=True)
    (work / "status").touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures": f"arm64,{native}",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "20",
        "Acquire::https::Timeout": "20",
        "Dir::State": work / "state",
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
    }
    options = [f"-o={key}={value}" for key, value in settings.items()]
    _checked(["apt-get", "-q", *options, *arguments], cwd=work)


def _fetch_wheels(work):
    """Unpacks the aarch64 wheels of the tested versions into site."""
    version = _python(work / "root").name.removeprefix("python")
    tags = [f"manylinux_{tag}_aarch64" for tag in PLATFORMS]
    tags.append("manylinux2014_aarch64")
    _checked(
        [
            *(sys.executable, "-m", "pip", "download", "-q"),
            *("--only-binary=:all:", "--implementation=cp"),
            f"--python-version={version}",
            *(f"--platform={tag}" for tag in tags),
            f"--dest={work / 'wheels'}",
            f"--constraint={CHECKOUT / 'constraints.txt'}",
            *("--retries=1", "--timeout=20"),
            *WHEELS,
        ]
    )
    for wheel in (work / "wheels").iterdir():
        shutil.unpack_archive(wheel, work / "site", "zip")


def _python(root):
    pythons = sorted(root.glob("usr/bin/python3.[0-9][0-9]"))
    if not pythons:
        raise Unavailable("Debian's aarch64 packages hold no Python")
    return pythons[0]


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _clean(environment):
    """Drops what is meant for the Python of this machine."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("PYTHON")
    }


def _checked(command, **options):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, **options
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"{command[0]} failed: {lines[-1:]}")
    return done.stdout
