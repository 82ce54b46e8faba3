#!/bin/bash
# sanitized.sh BUILD NAME SUITE...: the suites of a sanitized build, counted as all.sh counts.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/suites.sh
build=$1 name=$2
shift 2
sanitized "$name" "$build" "$@"
finish
