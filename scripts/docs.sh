#!/usr/bin/env bash
# Builds the site of the pages in build/site; a link that leads nowhere fails.
#
#   bash scripts/docs.sh
#   PYTHON=python3.12 bash scripts/docs.sh
#
# Needs mkdocs-material, the extra docs.
set -euo pipefail
cd "$(dirname -- "$0")/.."
python=${PYTHON:-python3}
if [[ -z ${PYTHON:-} && -x .venv/bin/python ]]; then
    python=.venv/bin/python
fi
if ! "$python" -c 'import mkdocs' 2>/dev/null; then
    echo "error: no MkDocs: $python -m pip install \".[docs]\"" >&2
    exit 2
fi
exec "$python" -m mkdocs build --strict
