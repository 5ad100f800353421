"""The pages: every command is run, every link and figure is there."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import documented_runs
import documents
import slow_tests
import tensorflow as tf
from absl.testing import parameterized

from qmia_tf.auditing import audit_result

# Commands that another test runs: pattern, its file, and words in it.
ELSEWHERE = (
    (r"bash scripts/quickstart\.sh", "install_test.py", "quickstart.sh"),
    (
        r"bash scripts/test\.sh tests/(top_two|signed|deploy/int16x8)_test\.py",
        "docs/walkthroughs_test.py",
        "test_what_is_written_works",
    ),
    (
        r"bash scripts/test\.sh( --(slow|fast|measure))?( tests/\w+/\w+\.py)?",
        "install_test.py",
        "test_options_of_the_tests",
    ),
    (
        r"python3 -m venv venv|venv/bin/pip install .*",
        "edge/edge_environment_test.py",
        "def installed",
    ),
    (
        r"venv/bin/python edge/qmia_edge\.pyz .*",
        "edge/edge_environment_test.py",
        "self.program",
    ),
    (
        r"python tools/edge_zipapp\.py .*",
        "tools/edge_zipapp_test.py",
        "edge_zipapp.make",
    ),
    (
        r'python -m pip install "?(qmia_tf|\.).*',
        "package_test.py",
        "def test_wheel_is_whole",
    ),
    (
        r"python scripts/make_tflite_models\.py( --sets=\w+)?( --check)?",
        "tools/shipped_test.py",
        "manifest_check.check",
    ),
    (
        r'cat audit/report/summary\.md >> "\$GITHUB_STEP_SUMMARY"',
        "report/summary_files_test.py",
        "summary.md",
    ),
    (
        r"python tools/convert_audits\.py runs/w4a4",
        "tools/convert_audits_test.py",
        "convert_audits.main",
    ),
    (
        r"python scripts/reproduce\.py .*",
        "paper/workflow_test.py",
        "reproduce",
    ),
    (r"ruff (check|format) \.|mypy", "style_test.py", '"check"'),
    (
        r"python -m mkdocs build --strict",
        "docs/site_test.py",
        '"build", "--strict"',
    ),
    (
        r"python (tools/make_(reference|audit_docs)|docs/figures/\w+)\.py",
        "docs/docs_drawn_test.py",
        "made_again",
    ),
)
PIP = r"python -m pip (wheel|install) .*"
SCRIPT = r"(venv/bin/)?python (\w+/)*(scripts/|edge/)?\w+\.py .*|"
SCRIPT += r"python scripts/quickstart\.py|qmia \w+( .*)?"
# Only the walk-throughs' files: tests/docs/walkthroughs_test.py.
NOT_EXECUTED = ("docs/architecture.md",)
LATER = ("docs/reference.md",)
BOARD = "venv/bin/python edge/qmia_edge.pyz"
W4A4 = "runs/digits/memorizing/w4a4"


def all_blocks(*languages):
    """Lists (page, block) of these languages, in the order to run them."""
    order = {"docs/quickstart.md": -1}
    return [
        (documents.name(page), block)
        for page in sorted(
            documents.pages(), key=lambda p: order.get(documents.name(p), 0)
        )
        for block in documents.blocks(page.read_text())
        if block.language in languages
    ]


def all_commands():
    """Lists (place, command), each command once."""
    places = {}
    for page, block in all_blocks("bash", "yaml"):
        for command in documents.commands(block):
            places.setdefault(command, f"{page}:{block.line}")
    return [(place, command) for command, place in places.items()]


def elsewhere(command):
    """The file and the words of the test that runs a command, or None."""
    for pattern, *test in ELSEWHERE:
        if re.fullmatch(pattern, command):
            return test
    return None


class AccountTest(parameterized.TestCase):
    def test_every_command_is_run_by_some_test(self):
        known = ("git clone ", "cp ")
        for place, command in all_commands():
            with self.subTest(f"{place}: {command}"):
                self.assertTrue(
                    elsewhere(command)
                    or command.startswith(known)
                    or re.fullmatch(PIP, command)
                    or re.fullmatch(SCRIPT, command),
                    f"nobody runs it: {command}",
                )

    def test_tests_elsewhere_are_there(self):
        for _, name, words in ELSEWHERE:
            text = (documents.ROOT / "tests" / name).read_text()
            self.assertIn(words, text)

    def test_every_block_says_what_it_is(self):
        for page in documents.pages():
            text = page.read_text()
            for block in documents.blocks(text):
                self.assertIn(
                    block.language,
                    documents.LANGUAGES,
                    f"{documents.name(page)}:{block.line}",
                )
            # Indented code would be seen by no test.
            indented = re.findall(r"(?m)^\n {4}\S.*$", documents.prose(text))
            if page.parent.name != "tflite_models":
                self.assertEmpty(indented, documents.name(page))


def git_environment():
    """Where git takes a checkout that belongs to somebody else."""
    config = pathlib.Path("gitconfig").absolute()
    config.write_text("[safe]\n\tdirectory = *\n")
    return {**os.environ, "GIT_CONFIG_GLOBAL": str(config)}


class CommandsTest(parameterized.TestCase, tf.test.TestCase):
    """In one folder, one after the other, as a reader would."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        held = tempfile.TemporaryDirectory()
        cls.addClassCleanup(held.cleanup)
        cls.dir = pathlib.Path(held.name)
        cls.addClassCleanup(os.chdir, os.getcwd())
        os.chdir(cls.dir)
        cls.enterClassContext(documented_runs.stand_ins())
        cls.names = documented_runs.prepare(cls.dir)
        first = documented_runs.run("python scripts/quickstart.py")
        if first[0]:
            raise AssertionError(first)
        cls.audits = {
            name: audit_result.load(cls.dir / "runs/digits/memorizing" / name)
            for name in ("w32a32", "w4a4")
        }
        documented_runs.save_phone(cls.dir)

    def test_the_main_job(self):
        """Full precision too; scripts_test.py has it of a ResNet."""
        for name, files in (
            ("w32a32", ["int8_ptq"]),
            ("w4a4", ["int8", "int8_twin"]),
        ):
            parity = {x.target: x.parity for x in self.audits[name].targets}
            self.assertEqual(list(parity), ["keras", *files])
            for file, check in parity.items():
                wanted = (name, file) == ("w4a4", "int8")
                self.assertEqual(check is not None, wanted, (name, file))

    def run_scripts(self, chosen):
        for place, command in chosen:
            if command == "python scripts/quickstart.py":
                continue
            with self.subTest(f"{place}: {command}"):
                if command.startswith("cp "):
                    subprocess.run(shlex.split(command), check=True)
                    continue
                status, out, errors = documented_runs.run(command)
                self.assertEqual(status, 0, out[-2000:] + errors[-2000:])

    def scripts(self, *, later):
        # The file itself runs in edge/edge_environment_test.py.
        commands = [
            (place, command.replace(BOARD, "qmia edge"))
            for place, command in all_commands()
        ]
        return [
            (place, command)
            for place, command in commands
            if re.fullmatch(f"{SCRIPT}|cp .*", command)
            and not elsewhere(command)
            and place.startswith(LATER) == later
        ]

    def test_commands(self):
        self.run_scripts(self.scripts(later=False))

    def test_python(self):
        for page, block in all_blocks("python"):
            if page in NOT_EXECUTED:
                continue
            with self.subTest(f"{page}:{block.line}"):
                code = compile(block.text, f"{page}:{block.line}", "exec")
                exec(code, dict(self.names))

    @slow_tests.slow
    def test_commands_of_the_reference(self):
        documented_runs.keep_epochs()
        documented_runs.run(
            f"python scripts/export_data.py --run_dir={W4A4} --out=data.npz"
        )
        os.symlink(
            "runs/digits/memorizing/w4a4/artifacts/int8.tflite", "int8.tflite"
        )
        self.run_scripts(self.scripts(later=True))

    def test_clone(self):
        (command,) = (c for _, c in all_commands() if "git clone" in c)
        if not (documents.ROOT / ".git").exists():
            self.skipTest("no git checkout")
        os.makedirs("clone/from")
        os.symlink(documents.ROOT, "clone/from/qmia_tf")
        there = command.replace("URL", "from/qmia_tf")
        done = subprocess.run(
            f"{there} && ls README.md",
            shell=True,
            cwd="clone",
            env=git_environment(),
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    @slow_tests.slow
    def test_pip(self):
        pip = [
            command
            for _, command in all_commands()
            if re.fullmatch(PIP, command) and not elsewhere(command)
        ]
        self.assertNotEmpty(pip)
        os.makedirs("pip")
        subprocess.run(
            ["git", "clone", "-q", documents.ROOT, "pip/qmia_tf"],
            env=git_environment(),
            check=True,
        )
        for command in pip:
            command = command.replace("python", sys.executable, 1)
            folder = "pip/qmia_tf" if command.endswith(" .") else "pip"
            done = subprocess.run(
                f"{command} --no-deps --no-build-isolation",
                shell=True,
                cwd=folder,
                env={**os.environ, "PIP_TARGET": str(self.dir / "pip/target")}
                if "install" in command
                else None,
                capture_output=True,
                text=True,
            )
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    tf.test.main()
