#!/usr/bin/env bash
# Set the project up: Python environment and control-plane binaries. Needs no root rights.
# Every step is skipped when it is up to date, so it may run before everything else.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=scripts/uv.sh
stamp=.venv/.hydracore-stamp

# A virtual environment that happens to be active is not the one that is meant.
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME

mkdir -p .hydracore
exec 9>.hydracore/setup.lock
if ! flock --nonblock 9; then
  echo "another set-up is running in this checkout; waiting for it"
  flock --timeout 3600 9 || {
    echo "error: another set-up has been running for an hour: end it and try again" >&2
    exit 1
  }
fi

fingerprint() {
  cat requirements.lock pyproject.toml scripts/build.txt scripts/uv.txt | sha256sum | cut -d' ' -f1
}

wanted="$(fingerprint) $PWD"
if [ ! -x .venv/bin/python ] || [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] ||
  ! .venv/bin/python -c '' 2>/dev/null; then
  began=$SECONDS
  python="$(scripts/uv.sh --python-path)"
  export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
  # Programs in .venv/bin name their interpreter by its full path: a moved checkout needs new ones.
  if [ "$(cut -d' ' -f2- "$stamp" 2>/dev/null)" != "$PWD" ] ||
    ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    "$uv" venv --quiet --clear --python "$python" .venv
  fi
  echo "installing Python packages into .venv (about 150 MB the first time, usually 10 to 60 s)"
  # Wheels only: no C compiler is ever needed.
  if ! "$uv" pip sync --quiet --python .venv/bin/python --require-hashes --only-binary :all: \
    requirements.lock ||
    ! "$uv" pip install --quiet --python .venv/bin/python --no-deps \
      --build-constraints scripts/build.txt --editable .; then
    echo "error: the Python packages could not be installed (see above): is PyPI reachable?" >&2
    exit 1
  fi
  echo "$wanted" >"$stamp"
  echo "installed Python packages in $((SECONDS - began)) s"
fi

.venv/bin/python -m hydracore_devcluster build 9>&-
