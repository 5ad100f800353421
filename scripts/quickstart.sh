#!/usr/bin/env bash
# The main job from a fresh checkout: makes .venv, installs, and runs
# scripts/quickstart.py with the options given.
#
#   bash scripts/quickstart.sh
#   bash scripts/quickstart.sh --help
#   PYTHON=python3.12 bash scripts/quickstart.sh    chooses the Python
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/setup_venv.sh"

setup_venv
exec "$venv_python" "$root/scripts/quickstart.py" "$@"
