# suites.sh: how the test scripts run a suite and count it; to be sourced.
#
# A Criterion program is counted test by test from its synthesis; a script is one test, skipped when it
# exits with 77. What a sanitizer reports is a failure, even where Criterion passes (it prints a leak in a
# test and passes the test).
passed=0 failed=0 skipped=0
logs=build/test-logs
mkdir -p "$logs"

build() { # build NAME MAKE-ARGUMENT...
    local log=$logs/$1.build
    shift
    echo "== make $*"
    make --no-print-directory -j"$(nproc)" "$@" >"$log" 2>&1 && return
    cat "$log"
    failed=$((failed + 1))
    return 1
}

criterion() { # criterion NAME PROGRAM
    local log=$logs/$1 status counts
    echo "== $1"
    "$2" >"$log" 2>&1
    status=$?
    grep -v '^\[.*\] *\(Warning! \)\?.*::.*: *(\?\(skipped\|passed\)' "$log" | grep -a 'FAIL\|CRASH\|----\|Synthesis' | head -n 200
    counts=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | sed -n \
        's/.*Tested: [0-9]* | Passing: \([0-9]*\) | Failing: \([0-9]*\) | Crashing: \([0-9]*\).*/\1 \2 \3/p' |
        tail -n 1)
    # shellcheck disable=SC2086
    set -- "$1" ${counts:-0 1 0}
    [ -n "$counts" ] || { echo "$1: the test program did not finish"; tail -n 40 "$log"; }
    passed=$((passed + $2)) failed=$((failed + $3 + $4))
    [ "$status" -eq 0 ] || [ $(($3 + $4)) -gt 0 ] || { echo "$1: exit status $status"; failed=$((failed + 1)); }
}

script() { # script NAME COMMAND...
    local log=$logs/$1 status
    echo "== $1"
    shift
    "$@" >"$log" 2>&1
    status=$?
    case $status in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)); tail -n 1 "$log" ;;
    *) failed=$((failed + 1)); tail -n 100 "$log" ;;
    esac
}

sanitized() { # sanitized NAME BUILD SUITE...: suites of a sanitized build; every report is a failure
    local name=$1 build=$2 suite report
    shift 2
    rm -f "$logs/$name".report.*
    for suite in "$@"; do
        local program=$build/tests/${suite}_tests
        # ThreadSanitizer and Criterion do not go together: there, only the daemon is sanitized.
        [ "$name" != tsan ] || program=build/release/tests/${suite}_tests
        RELUD=$build/relud \
            ASAN_OPTIONS=log_path=$PWD/$logs/$name.report LSAN_OPTIONS=exitcode=0 \
            UBSAN_OPTIONS=print_stacktrace=1:log_path=$PWD/$logs/$name.report \
            TSAN_OPTIONS=log_path=$PWD/$logs/$name.report \
            criterion "$suite-$name" "$program"
    done
    for report in "$logs/$name".report.*; do
        [ -e "$report" ] || continue
        # Criterion leaks a little of its own at its end; no frame of such a report is ours.
        grep -q 'core/\|server/\|tests/' "$report" || { grep -q libcriterion "$report" && continue; }
        head -n 60 "$report"
        failed=$((failed + 1))
    done
}

finish() {
    if [ "$skipped" -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
