#!/bin/bash
# all.sh: every test, and one line at the end that counts them: "N passed, N failed[, N skipped]".
#
# A suite is a command. Criterion programs are counted test by test from their synthesis; a script is one
# test, skipped when it exits with 77. Reports of the sanitizers count as failures.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0 skipped=0
logs=build/test-logs
rm -rf "$logs" && mkdir -p "$logs"

build() { # build NAME MAKE-ARGUMENT...
    local log=$logs/$1.build
    shift
    echo "== building: make $*"
    make --no-print-directory -j"$(nproc)" "$@" >"$log" 2>&1 && return
    cat "$log"
    failed=$((failed + 1))
    return 1
}

criterion() { # criterion NAME COMMAND...
    local log=$logs/$1 name=$1
    shift
    echo "== $name"
    "$@" 2>&1 | tee "$log" | grep -v '^\[----\]\|^\[RUN\|^\[PASS' | head -n 200
    local status=${PIPESTATUS[0]}
    local counts
    counts=$(sed 's/\x1b\[[0-9;]*m//g' "$log" |
        sed -n 's/.*Tested: \([0-9]*\) | Passing: \([0-9]*\) | Failing: \([0-9]*\) | Crashing: \([0-9]*\).*/\2 \3 \4/p' |
        tail -n 1)
    if [ -z "$counts" ]; then
        echo "$name: no synthesis: the test program did not finish"
        failed=$((failed + 1))
        return
    fi
    set -- $counts
    passed=$((passed + $1)) failed=$((failed + $2 + $3))
    if [ "$status" -ne 0 ] && [ $(($2 + $3)) -eq 0 ]; then
        echo "$name: exit status $status"
        failed=$((failed + 1))
    fi
}

script() { # script NAME COMMAND...
    local log=$logs/$1 name=$1
    shift
    echo "== $name"
    "$@" >"$log" 2>&1
    case $? in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) && tail -n 1 "$log" ;;
    *) failed=$((failed + 1)) && cat "$log" ;;
    esac
}

reports() { # reports NAME FILE...: what sanitizers have written
    local name=$1
    shift
    for file in "$@"; do
        [ -e "$file" ] || continue
        echo "== $name: $file"
        head -n 60 "$file"
        failed=$((failed + 1))
    done
}

if build release all tests; then
    criterion unit build/release/tests/unit_tests
    RELUD=build/release/relud criterion api build/release/tests/api_tests
fi

sanitized=build/asan
if build asan BUILD=$sanitized SAN=address,undefined all tests; then
    export ASAN_OPTIONS=log_path=$PWD/$logs/asan.report:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1:log_path=$PWD/$logs/ubsan.report
    criterion unit-asan $sanitized/tests/unit_tests
    RELUD=$sanitized/relud criterion api-asan $sanitized/tests/api_tests
    reports asan "$logs"/*.report.*
    unset ASAN_OPTIONS UBSAN_OPTIONS
fi

script container tests/container/test.sh

if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
