"""What pip is configured with, given to uv."""

import os
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

from tools import uv_installer

ROOT = pathlib.Path(__file__).resolve().parents[2]


class UvInstallerTest(parameterized.TestCase):
    def test_later_sections_have_precedence(self):
        settings = uv_installer.read_settings(
            [
                ":env:.index-url='https://env'",
                "global.index-url='https://global'",
                "global.no_cache_dir='true'",
                "install.find-links='/a b\\n/c'",
                "download.index-url='https://other'",
            ]
        )
        self.assertEqual(
            settings,
            {
                "index-url": "https://env",
                "no-cache-dir": "true",
                "find-links": "/a b\n/c",
            },
        )

    @parameterized.parameters(
        ("index-url", "https://a/simple", "UV_DEFAULT_INDEX", None),
        ("extra-index-url", "https://a\nhttps://b", "UV_EXTRA_INDEX_URL", " "),
        ("find-links", "https://a https://b", "UV_FIND_LINKS", ","),
        ("constraint", "a.txt\nb.txt", "UV_CONSTRAINT", " "),
        ("trusted-host", "a.b c.d", "UV_INSECURE_HOST", " "),
        ("cert", "/a.crt", "SSL_CERT_FILE", None),
        ("proxy", "https://p", "ALL_PROXY", None),
        ("timeout", "180", "UV_HTTP_TIMEOUT", None),
    )
    def test_variables(self, name, text, variable, separator):
        given = uv_installer.variables({name: text})
        expected = separator.join(text.split()) if separator else text
        self.assertEqual(given.pop(variable), expected)
        self.assertEqual(given, {"UV_INDEX_STRATEGY": "unsafe-best-match"})

    def test_places_that_are_not_there_are_passed_over(self):
        here = self.create_tempdir().full_path
        settings = {
            "find-links": f"/not/there {here}",
            "extra-index-url": f"file:///not/there file://{here} https://a",
            "constraint": "/not/there.txt",
        }
        given = uv_installer.variables(settings)
        self.assertEqual(given["UV_FIND_LINKS"], here)
        self.assertEqual(
            given["UV_EXTRA_INDEX_URL"], f"file://{here} https://a"
        )
        # pip does not pass over this.
        self.assertEqual(given["UV_CONSTRAINT"], "/not/there.txt")

    @parameterized.parameters(
        ("true", "1"), ("1", "1"), ("false", None), ("0", None)
    )
    def test_switches(self, text, expected):
        settings = {"no-cache-dir": text, "no-index": text}
        given = uv_installer.variables(settings)
        self.assertEqual(given.get("UV_NO_CACHE"), expected)
        self.assertEqual(
            uv_installer.options(settings), ["--no-index"] if expected else []
        )

    def test_options(self):
        self.assertEqual(
            uv_installer.options({"only-binary": "a,b"}),
            ["--only-binary", "a", "--only-binary", "b"],
        )

    def test_uv_gets_them_and_what_the_user_set_stays(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "uv.py").write_text(
            "import os, sys\n"
            "print(sys.argv[1:])\n"
            "for name in ('UV_FIND_LINKS', 'UV_HTTP_TIMEOUT'):\n"
            "    print(os.environ.get(name))\n"
            "sys.exit(7)\n"
        )
        config = folder / "pip.conf"
        config.write_text(
            f"[global]\nfind-links = {folder}\n[install]\ntimeout = 90\n"
        )
        done = subprocess.run(
            [sys.executable, ROOT / "tools/uv_installer.py", "-e", "."],
            capture_output=True,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(folder),
                "PIP_CONFIG_FILE": str(config),
                "PIP_NO_INDEX": "1",
                "UV_HTTP_TIMEOUT": "5",
            },
        )
        self.assertEqual(done.returncode, 7, done.stderr)
        arguments, links, seconds = done.stdout.splitlines()
        self.assertEqual(
            arguments,
            str(
                ["pip", "install", "--python", sys.executable, "--no-progress"]
                + ["--no-index", "-e", "."]
            ),
        )
        self.assertEqual((links, seconds), (str(folder), "5"))


if __name__ == "__main__":
    absltest.main()
