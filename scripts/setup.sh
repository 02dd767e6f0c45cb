#!/usr/bin/env bash
# setup.sh VENV EXTRAS STAMP...: a virtual environment with cvcourse[EXTRAS] at the pinned versions.
# Whatever is missing is said in one sentence; the stamps are touched only when all went well.
set -euo pipefail
venv=$1 extras=$2
stamps=("${@:3}")
supported="3.14 3.13 3.12 3.11"
python=${PYTHON:-python3}
fail() { echo "cvcourse: $*" >&2; exit 1; }
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }
is_supported() { [[ " $supported " == *" $1 "* ]]; }

version=$(version_of "$python")
if [ "$python" = python3 ] && ! is_supported "$version"; then # perhaps one beside it is
  for other in $supported; do
    if is_supported "$(version_of "python$other")"; then
      echo "cvcourse: python3 is ${version:-not there}; Python $other is, and is taken"
      python=python$other version=$other
      break
    fi
  done
fi
[ -n "$version" ] || fail "there is no '$python' on this machine that runs; install Python 3.11, 3.12, 3.13 or 3.14, or name one: make lab PYTHON=/path/to/python3.12"
is_supported "$version" || fail "Python 3.11, 3.12, 3.13 or 3.14 is needed, but '$python' is Python $version; name another: make lab PYTHON=/path/to/python3.12"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "'$python' lacks the module venv, which makes virtual environments; on Debian or Ubuntu: sudo apt install python$version-venv"

mkdir -p build
log=build/setup.log
echo "cvcourse: setting up $venv with Python $version (once; a few minutes and about 2 GB)"
"$venv/bin/python" -c 'import pip' 2>/dev/null || "$python" -m venv --clear "$venv" >"$log" 2>&1 ||
  fail "the virtual environment $venv could not be made; see $log"
if ! "$venv/bin/python" -m pip install --disable-pip-version-check --retries 2 -c constraints.txt -e ".[$extras]" >"$log" 2>&1; then
  grep -qiE 'NewConnectionError|name resolution|Network is unreachable|Connection (refused|reset)|timed out|ConnectTimeout|ProxyError|SSLError|from versions: none' "$log" &&
    fail "the Python package index cannot be reached; connect to the network (needed for set-up only) and call make again (details: $log)"
  grep -q 'No space left' "$log" && fail "the disk is full; set-up needs about 2 GB (details: $log)"
  fail "the packages could not be installed; the last lines of $log say why: $(grep -E '^ERROR' "$log" | tail -2 | tr '\n' ' ')"
fi
touch "${stamps[@]}"
