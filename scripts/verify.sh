#!/usr/bin/env bash
# Run every check that needs no cluster; all of them run, and those that fail are named at the end.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=()

check() {
  local name="$1" began=$SECONDS
  shift
  if output="$("$@" 2>&1)"; then
    printf 'ok      %s (%d s)\n' "$name" $((SECONDS - began))
  else
    printf 'FAILED  %s (%d s): %s\n%s\n' "$name" $((SECONDS - began)) "$*" "$output"
    failed+=("$name")
  fi
}

go_format() {
  local wrong
  wrong="$("$("$go" env GOROOT)/bin/gofmt" -l */)" || return
  [ -z "$wrong" ] || { printf 'gofmt -w these:\n%s\n' "$wrong" && return 1; }
}

# With the environment and flags of the build, so that what it has compiled is not compiled again;
# the first time the rest takes about a minute, later a second.
go_vet() {
  local folder status=0
  while read -r folder; do
    CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off GOFLAGS="-buildvcs=false -mod=readonly -trimpath" \
      "$go" -C "$folder" vet . || status=1
  done < <(find */ -name '*.go' -printf '%h\n' | sort -u)
  return "$status"
}

# Not within a check: the first time it takes minutes and tells how far it is.
.venv/bin/python -m hydracore_devcluster build packaging-tools || failed+=("packaging tools")
go="$(.venv/bin/python -m hydracore_devcluster go)" || failed+=("go")

check "lint" .venv/bin/ruff check .
check "format" .venv/bin/ruff format --check .
check "types" .venv/bin/mypy
check "types of benchmarks" .venv/bin/mypy bench
check "imports" .venv/bin/lint-imports
check "Go format" go_format
check "Go vet" go_vet
check "definitions" .venv/bin/python -m hydracore_crds.generate --check
check "openapi" .venv/bin/python -m hydracore_api.openapi --check
check "chart" .hydracore/cache/packaging-tools/helm lint --strict charts/hydracore

if [ ${#failed[@]} -gt 0 ]; then
  printf 'verify: failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
echo "verify: all checks passed"
