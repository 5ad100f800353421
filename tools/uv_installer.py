"""Runs `uv pip install` with what pip is configured with.

    python tools/uv_installer.py -c constraints.txt -e .

scripts/setup_venv.sh runs it by the Python of .venv, which has uv and pip and
nothing else. uv reads neither pip's configuration files nor PIP_* variables;
what they say of indexes, certificates, constraints and the network is given
to it as UV_* variables. One that is set already stays as it is.
"""

import ast
import os
import pathlib
import subprocess
import sys

# Later ones have precedence, as pip has it.
SECTIONS = ("global", "install", ":env:")
# Of pip, of uv, and what uv separates several by.
VARIABLES = (
    ("index-url", "UV_DEFAULT_INDEX", None),
    ("extra-index-url", "UV_EXTRA_INDEX_URL", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("constraint", "UV_CONSTRAINT", " "),
    ("build-constraint", "UV_BUILD_CONSTRAINT", " "),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("cert", "SSL_CERT_FILE", None),
    ("client-cert", "SSL_CLIENT_CERT", None),
    ("proxy", "ALL_PROXY", None),
    ("default-timeout", "UV_HTTP_TIMEOUT", None),
    ("timeout", "UV_HTTP_TIMEOUT", None),
    ("retries", "UV_HTTP_RETRIES", None),
)
SWITCHES = (
    ("no-cache-dir", "UV_NO_CACHE", "1"),
    ("pre", "UV_PRERELEASE", "allow"),
    ("no-build-isolation", "UV_NO_BUILD_ISOLATION", "1"),
)
# pip passes over those that are not there, uv does not.
PLACES = ("extra-index-url", "find-links")
OPTIONS = ("no-binary", "only-binary")
NO = ("", "0", "false", "no", "off", "n", "f")


def read_settings(lines) -> dict[str, str]:
    """Reads what `pip config list` prints.

    Args:
        lines: SECTION.NAME='VALUE', one a line.
    Returns: name -> value, those that count for `pip install`.
    """
    by_section = {section: {} for section in SECTIONS}
    for line in lines:
        key, _, text = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in by_section:
            name = name.lower().replace("_", "-")
            by_section[section][name] = str(ast.literal_eval(text))
    return {
        name: value
        for section in SECTIONS
        for name, value in by_section[section].items()
    }


def variables(settings) -> dict[str, str]:
    """Says pip's settings as the variables that uv reads.

    Args:
        settings: as read_settings gives them.
    """
    # Of all indexes pip takes the best version, uv that of the first.
    given = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for name, variable, separator in VARIABLES:
        if settings.get(name):
            values = settings[name].split()
            if name in PLACES:
                values = filter(_is_there, values)
            given[variable] = (separator or " ").join(values)
    for name, variable, value in SWITCHES:
        if _is_on(settings, name):
            given[variable] = value
    return {name: value for name, value in given.items() if value}


def options(settings) -> list[str]:
    """Says what uv has no variable for as options of its command line.

    Args:
        settings: as read_settings gives them.
    """
    given = ["--no-index"] if _is_on(settings, "no-index") else []
    for name in OPTIONS:
        for value in settings.get(name, "").replace(",", " ").split():
            given += [f"--{name}", value]
    return given


def _is_on(settings, name):
    return settings.get(name, "").lower() not in NO


def _is_there(place):
    """Whether a place is elsewhere, or a file or folder that is there."""
    if place.startswith("file://"):
        place = place.removeprefix("file://")
    return "://" in place or pathlib.Path(place).expanduser().exists()


def main(arguments):
    """Runs uv in place of this process."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=True,
    )
    settings = read_settings(listed.stdout.splitlines())
    command = [
        *(sys.executable, "-m", "uv", "pip", "install"),
        *("--python", sys.executable, "--no-progress"),
        *options(settings),
        *arguments,
    ]
    environment = {**variables(settings), **os.environ}
    # Python compiles a module when it is first imported; where it may not keep
    # that, it would do so in every process.
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        environment.setdefault("UV_COMPILE_BYTECODE", "1")
    sys.exit(subprocess.run(command, env=environment).returncode)


if __name__ == "__main__":
    main(sys.argv[1:])
