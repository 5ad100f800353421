#!/usr/bin/env bash
# Damages the project's own files at random until the minutes are over.
#
#   bash scripts/fuzz.sh --minutes=10
#
# A damaged file that is neither read nor refused on one line is made small and
# kept in tests/fuzz/corpus/KIND/, which the tests read again for good: fix the
# reader and commit the file. Exit status 1 if one was found.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/setup_venv.sh"

minutes=10
for argument in "$@"; do
  case $argument in
    --minutes=*) minutes=${argument#--minutes=} ;;
    *) echo "fuzz.sh takes --minutes=N, got $argument" >&2; exit 2 ;;
  esac
done
case $minutes in
  "" | *[!0-9]*) echo "--minutes must be a whole number" >&2; exit 2 ;;
esac

setup_venv test
cd "$root"
export QMIA_FUZZ_EXAMPLES=${QMIA_FUZZ_EXAMPLES:-300}
end=$((SECONDS + minutes * 60))
status=0
rounds=0
while [ "$SECONDS" -lt "$end" ]; do
  "$venv_python" -m pytest -c pyproject.toml -p no:cacheprovider -q --tb short \
    -k at_random tests/fuzz/damaged_files_test.py || status=1
  rounds=$((rounds + 1))
done
echo "$rounds rounds; kept in tests/fuzz/corpus: $(
  find tests/fuzz/corpus -type f | wc -l) files"
exit "$status"
