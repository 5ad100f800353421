# Sourced by quickstart.sh and test.sh: the folder .venv in the checkout, with
# the tested packages. PYTHON=python3.12 in the environment chooses the Python;
# otherwise a .venv that is there is kept, or the first fitting Python found.
#
#   setup_venv         what the programs need, by the extra "all"
#   setup_venv test    that, and what the tests need
#
# Sets root (the checkout) and venv_python. What the user can mend ends the
# script with one line on stderr and status 2.
#
# .venv/unfinished is there while packages are being put in, so that what a
# killed run left is made anew; .venv/installed* says what was installed.

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
venv_python=$venv/bin/python

say() { printf '%s\n' "$*"; }

stop() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

version_of() {
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
}

is_supported() {
  case $1 in 3.11 | 3.12 | 3.13) ;; *) return 1 ;; esac
}

# Prints why the Python named $1 will not do; nothing if it will.
why_not() {
  local version
  if ! command -v -- "$1" >/dev/null 2>&1; then
    say "$1 was not found"
  elif ! version=$(version_of "$1" 2>/dev/null); then
    say "$1 does not run ($(version_of "$1" 2>&1 | head -n 1))"
  elif ! is_supported "$version"; then
    say "$1 is Python $version, and 3.11, 3.12 or 3.13 is needed"
  elif ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
    say "$1 cannot make a virtual environment (on Debian or Ubuntu:" \
      "apt-get install python$version-venv)"
  fi
}

# Sets python to the one to make .venv with.
choose_python() {
  local candidate reason seen=""
  if [ -n "${PYTHON:-}" ]; then
    reason=$(why_not "$PYTHON")
    [ -z "$reason" ] || stop "PYTHON=$PYTHON cannot be used: $reason"
    python=$PYTHON
    return
  fi
  for candidate in python3.11 python3.12 python3.13 python3; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    reason=$(why_not "$candidate")
    if [ -z "$reason" ]; then
      python=$candidate
      return
    fi
    seen="$seen${seen:+; }$reason"
  done
  stop "no Python 3.11 to 3.13 to use (${seen:-none was found}); install" \
    "one and name it: PYTHON=/path/to/python3.12 bash $0"
}

# Prints why the .venv that is there will not do; nothing if it will.
why_not_venv() {
  local version
  if [ -e "$venv/unfinished" ]; then
    say "an earlier run was stopped before it was whole"
  elif ! version=$(version_of "$venv_python" 2>/dev/null) ||
    ! "$venv_python" -c 'import pip' 2>/dev/null; then
    say "it does not run"
  elif ! is_supported "$version"; then
    say "it is Python $version"
  elif [ -n "${PYTHON:-}" ] && [ "$version" != "$(version_of "$python")" ]; then
    say "it is Python $version and PYTHON=$PYTHON"
  fi
}

# Moved away first: a killed removal must not leave half of it in place.
remove_venv() {
  rm -rf "$venv-old" && mv "$venv" "$venv-old" && rm -rf "$venv-old" ||
    stop "$venv cannot be removed; remove it and start again"
}

make_venv() {
  local output
  say "making .venv with $python (Python $(version_of "$python"))"
  { mkdir "$venv" && : >"$venv/unfinished"; } 2>/dev/null ||
    stop "$venv cannot be made; may you write to $root?"
  output=$("$python" -m venv "$venv" 2>&1) ||
    stop "$python -m venv failed: $(printf '%s' "$output" | tail -n 1)"
}

install_failed() {
  local log=$venv/install.log broken='connection broken by ' hint line
  [ -n "$begun" ] || has_begun "$log" || rm -f "$venv/unfinished"
  line=$(grep 'ERROR: ' "$log" | tail -n 1 | sed 's/^ *ERROR: //') || true
  [ -n "$line" ] || line=$(tail -n 1 "$log")
  if grep -q 'No space left' "$log"; then
    hint="the disk is full."
  elif grep -q "$broken" "$log"; then
    hint="there is no network, or it does not reach the package index."
    line=$(grep "$broken" "$log" | tail -n 1 |
      sed "s/.*$broken//; s/<[^>]*>: //")
  else
    hint="is there a network?"
  fi
  stop "the packages could not be installed; $hint pip said: $line" \
    "(the whole log: $log)"
}

# Whether the installer of this log did more than resolve and download.
has_begun() {
  grep -q '^Installing collected packages' "$1" || {
    grep -q '^Resolved ' "$1" &&
      ! grep -qE 'Failed to (fetch|download|build)' "$1"
  }
}

run_pip() {
  "$venv_python" -m pip install --no-input --disable-pip-version-check \
    -c constraints.txt "$@" >"$venv/install.log" 2>&1
}

# uv takes a fraction of pip's time. What it cannot do is left to pip.
run_uv() {
  local log=$venv/install.log
  if ! "$venv_python" -c 'import uv' 2>/dev/null && ! run_pip uv; then
    ! grep -qE "No space left|connection broken by" "$log" || install_failed
    return 1
  fi
  "$venv_python" tools/uv_installer.py -c constraints.txt "$@" \
    >"$log" 2>&1 && return
  ! has_begun "$log" || begun=yes
  ! grep -q "No space left" "$log" || install_failed
  mv "$log" "$venv/uv.log"
  say "uv could not install them (log: $venv/uv.log); pip goes on, which" \
    "takes up to ten minutes"
  return 1
}

install_packages() {
  local extra=$1 stamp=$venv/installed-$1 wanted begun=""
  wanted="$root $(cd "$root" && cksum setup.py constraints.txt)"
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  say "installing the packages into .venv: 90, 140 with those of the tests; 3" \
    "GB on disk; this takes one to four minutes (log: $venv/install.log)"
  : >"$venv/unfinished"
  (cd "$root" && { run_uv -e ".[$extra]" || run_pip -e ".[$extra]" ||
    install_failed; }) || exit
  printf '%s\n' "$wanted" >"$venv/installed-all"
  printf '%s\n' "$wanted" >"$stamp"
  rm -f "$venv/unfinished"
  say "installed"
}

# One run at a time, where the system has flock; the lock is on this file and
# ends with the process that holds it.
wait_for_turn() {
  command -v flock >/dev/null 2>&1 || return 0
  exec 9<"$root/scripts/setup_venv.sh"
  flock -n 9 && return
  say "another run is setting up .venv; waiting for it"
  flock 9 || true
}

setup_venv() {
  local reason
  # An activated .venv must not be what .venv is made with.
  PATH=":$PATH:"
  PATH=${PATH//":$venv/bin:"/:}
  PATH=${PATH#:}
  PATH=${PATH%:}
  wait_for_turn
  if [ -n "${PYTHON:-}" ]; then choose_python; fi
  if [ -e "$venv" ] || [ -L "$venv" ]; then
    reason=$(why_not_venv)
    if [ -n "$reason" ]; then
      [ -n "${PYTHON:-}" ] || choose_python
      say "removing .venv: $reason"
      remove_venv
    fi
  fi
  if [ ! -e "$venv" ]; then
    [ -n "${PYTHON:-}" ] || choose_python
    make_venv
  fi
  install_packages "${1:-all}"
  exec 9<&-
}
