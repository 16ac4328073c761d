#!/usr/bin/env bash
# Run uv: the one on PATH if it has the pinned version, else one installed for this project alone
# (.hydracore/tools/uv). `uv.sh --python-path` prints the Python that the project uses instead.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
pinned=0.13.9
tool="$root/.hydracore/tools/uv"

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

find_python() {
  local candidate found=""
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    found="$found $candidate"
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
      return
    fi
  done
  if [ -z "$found" ]; then
    fail "there is no Python on PATH: apt-get install python3 python3-venv"
  fi
  fail "Python 3.11 or newer is needed, and of$found none is:" \
    "apt-get install python3 python3-venv (Debian 12 has 3.11), or set PYTHON to a newer one"
}

is_pinned() {
  [ -x "$1" ] && [ "$("$1" --version 2>/dev/null | cut -d' ' -f2)" = "$pinned" ]
}

install_uv() {
  local python log
  python="$(find_python)"
  "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
    fail "$python cannot make virtual environments: apt-get install python3-venv"
  printf 'installing uv %s into .hydracore/tools/uv (about 18 MB)\n' "$pinned" >&2
  rm -rf "$tool"
  mkdir -p "$root/.hydracore/tools"
  "$python" -m venv "$tool"
  log="$tool/install.log"
  if ! "$tool/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: --require-hashes --requirement "$root/scripts/uv.txt" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "uv $pinned could not be installed from PyPI: is the network there?" \
      "Or put uv $pinned on PATH"
  fi
}

if [ "${1:-}" = "--python-path" ]; then
  find_python
  exit
fi

# Certificates come from the machine, as for Go and git, so that its own authorities count too.
if [ -z "${SSL_CERT_FILE:-}" ] && [ ! -s /etc/ssl/certs/ca-certificates.crt ] &&
  [ -e /etc/debian_version ]; then
  fail "the machine has no certificate authorities to check downloads with:" \
    "apt-get install ca-certificates"
fi
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"

uv="$(command -v uv || true)"
if ! is_pinned "$uv"; then
  uv="$tool/bin/uv"
  is_pinned "$uv" || install_uv
fi
exec "$uv" "$@"
