#!/bin/bash
# sanitized.sh NAME FLAGS SUITE...: builds with the sanitizers FLAGS, runs the suites, counts as all.sh counts.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/suites.sh
name=$1 flags=$2
shift 2
if build release all tests && build "$name" BUILD="build/$name" SAN="$flags" all $([ "$name" = tsan ] || echo tests); then
    sanitized "$name" "build/$name" "$@"
fi
finish
