#!/usr/bin/env bash
# Kills every stage, fills its disk, takes its permissions away, and compares.
#
#   bash scripts/chaos.sh --kills=5
#   bash scripts/chaos.sh --stages=train,export --kills=20 --seed=1
#   bash scripts/chaos.sh --help
#
# The program is tests/chaos/chaos.py. Exit status 1 if a stage that was
# disturbed and run again gave other results than one left alone.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/setup_venv.sh"

setup_venv test
exec "$venv_python" "$root/tests/chaos/chaos.py" "$@"
