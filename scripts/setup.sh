#!/usr/bin/env bash
# setup.sh VENV EXTRAS STAMP...: a virtual environment with cvcourse[EXTRAS] at the pinned versions.
# Whatever is missing is said in one sentence; the stamps are touched only when all went well.
set -euo pipefail
venv=$1 extras=$2
stamps=("${@:3}")
python=${PYTHON:-python3}
fail() { echo "cvcourse: $*" >&2; exit 1; }

command -v "$python" >/dev/null || fail "there is no '$python' on this machine; install Python 3.11, 3.12 or 3.13, or name one: make lab PYTHON=/path/to/python3.12"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
  3.11 | 3.12 | 3.13) ;;
  *) fail "Python 3.11, 3.12 or 3.13 is needed, but '$python' is Python $version; name another: make lab PYTHON=/path/to/python3.12" ;;
esac
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
