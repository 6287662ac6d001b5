#!/usr/bin/env bash
# The whole proof: setup, checks, build, every test on the real thing. The last line counts them.
# Usage: scripts/test.sh
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
export PATH="$PWD/node_modules/.bin:$PATH"

bash scripts/setup.sh --for-tests || exit 1

reports="$(mktemp -d)"
trap 'rm -rf "$reports"' EXIT
export BASALT_TEST_REPORT="$reports/tests.json"
export BASALT_CHECK_REPORT="$reports/checks.json"

bash scripts/check.sh
echo
build=0
node scripts/build.ts || build=$?
tests=0
vitest run --coverage || tests=$?
echo
node scripts/test-summary.ts "$build" "$tests"
