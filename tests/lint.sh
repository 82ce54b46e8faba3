#!/bin/bash
# lint.sh: formatting, static analysis and the rules of the house that a machine can check.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=0
sources=$(git ls-files '*.c' '*.h' 'server/*.js')

complain() { # complain RULE TEXT: TEXT, when there is any, breaks RULE
    [ -n "$2" ] || return 0
    printf '%s:\n%s\n' "$1" "$2"
    failed=1
}

# shellcheck disable=SC2086
clang-format --dry-run -Werror $sources || failed=1
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches -Icore -Iserver -D__x86_64__ \
    --suppress=internalAstError --suppress=syntaxError $(git ls-files 'core/*.c' 'server/*.c') || failed=1
complain "only server/http.c uses microhttpd.h" \
    "$(git grep -l 'include <microhttpd.h>' -- core server | grep -v '^server/http.c$')"
complain "only server/tls.c uses GnuTLS" \
    "$(git grep -l 'include <gnutls' -- core server | grep -v '^server/tls.c$')"
complain "core depends on nothing in server, and neither prints nor exits" \
    "$(git grep -nE '\b(f?printf|puts|exit|abort)\(' -- 'core/*.c' 'core/*.h' | grep -vE 'snprintf|vsnprintf|sprintf')"
complain "the server opens no connection; the health check does" \
    "$(git grep -nE '\bconnect\(' -- core server | grep -v '^server/healthcheck.c:')"
complain "the page makes no markup of text, and has no style or script of its own in line" \
    "$(git grep -nE 'innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(| (style|on[a-z]+)="' -- server/web)"
complain "an instruction set is asked for in vec.h only" \
    "$(git grep -nE '__AVX|__SSE|__ARM' -- core server | grep -v '^core/kernels/vec.h')"
complain "at most 500 lines in a file" \
    "$(for f in $(git ls-files 'core/*.[ch]' 'server/*.[ch]' 'server/*.js'); do n=$(wc -l <"$f"); [ "$n" -le 500 ] || echo "$f: $n"; done)"
complain "no struct typedefs outside vec.h" \
    "$(git grep -nE '^typedef struct' -- core server | grep -v '^core/kernels/vec.h')"
[ "$failed" -eq 0 ] && echo "lint: clean"
exit "$failed"
