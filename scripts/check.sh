#!/usr/bin/env bash
# Everything that can be said about the code without running it. All checks run, also after one has failed.
# Usage: scripts/check.sh [name of one check]
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

only="${1:-}"
failed=()
passed=0

check() { # name, command...
  local name="$1" output
  shift
  if [ -n "$only" ] && [ "$only" != "$name" ]; then return; fi
  local start=$SECONDS
  if output="$("$@" 2>&1)"; then
    passed=$((passed + 1))
    printf 'ok      %-13s %3d s\n' "$name" $((SECONDS - start))
  else
    failed+=("$name")
    printf 'FAILED  %-13s %3d s\n%s\n\n' "$name" $((SECONDS - start)) "$output"
  fi
}

check format biome check --linter-enabled=false --error-on-warnings --max-diagnostics=200 .
check types node_modules/ts7/bin/tsc -p .
check lint oxlint
check dependencies node scripts/check-dependencies.ts
check dead-code knip --no-progress --no-config-hints
check tests-only knip --production --no-progress --no-config-hints
check generated node scripts/generate.ts --check

if [ -n "${BASALT_CHECK_REPORT:-}" ]; then
  printf '{"passed": %d, "failed": %d}\n' "$passed" ${#failed[@]} >"$BASALT_CHECK_REPORT"
fi
if [ ${#failed[@]} -gt 0 ]; then
  echo "checks: $passed passed, ${#failed[@]} failed: ${failed[*]}"
  exit 1
fi
if [ "$passed" -eq 0 ]; then
  echo "checks: there is none called \"$only\"" >&2
  exit 2
fi
echo "checks: $passed passed, 0 failed"
