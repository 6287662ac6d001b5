#!/usr/bin/env bash
# The main job in one command: build, freeze, deploy by replacement under load, roll back.
# Usage: scripts/quickstart.sh [--down]
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

bash scripts/setup.sh
node scripts/build.ts >/dev/null
exec node scripts/quickstart.ts "$@"
