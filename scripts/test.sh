#!/usr/bin/env bash
# Makes .venv if needed, installs, and runs the tests and the style check.
#
#   bash scripts/test.sh                        every *_test.py of tests/
#   bash scripts/test.sh --fast                 all but what trains or converts
#                                               and what tests/long_tests.txt
#                                               lists: within 90 s on two cores
#   bash scripts/test.sh --slow                 the slow tests too
#   bash scripts/test.sh --kernels              the files of
#                                               tests/kernel_tests.txt alone
#   bash scripts/test.sh tests/data/split_test.py
#                                               only this file
#   bash scripts/test.sh --measure              tests/long_tests.txt again
#   bash scripts/test.sh -x -k sweep            other options are pytest's
#   PYTHON=python3.12 bash scripts/test.sh      chooses the Python
#
# TensorFlow computes with oneDNN unless TF_ENABLE_ONEDNN_OPTS=0 is set; what
# depends on that is to be right either way:
#
#   TF_ENABLE_ONEDNN_OPTS=0 bash scripts/test.sh --kernels
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/setup_venv.sh"

# A worker starts TensorFlow once and runs whole files; one file needs none.
# --fast and --measure are options of tests/conftest.py.
workers=logical
files=0
arguments=()
for argument in "$@"; do
  case $argument in
    --slow)
      export QMIA_SLOW=1
      continue
      ;;
    --kernels)
      while read -r file; do
        case $file in "" | "#"*) continue ;; esac
        files=$((files + 1))
        arguments+=("$root/$file")
      done <"$root/tests/kernel_tests.txt"
      continue
      ;;
    *_test.py | *_test.py::*)
      files=$((files + 1))
      if [ -e "$PWD/${argument%%::*}" ]; then argument=$PWD/$argument; fi
      ;;
  esac
  arguments+=("$argument")
done
if [ "$files" -eq 1 ]; then workers=0; fi

setup_venv test
cd "$root"
exec "$venv_python" -m pytest -c pyproject.toml -o testpaths=tests \
  -p no:cacheprovider -rfEs --tb short \
  -n "$workers" --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
  ${arguments[@]+"${arguments[@]}"}
