#!/bin/bash
# all.sh: every test, and one line at the end that counts them: "N passed, N failed[, N skipped]".
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
. tests/suites.sh

if build release all tests; then
    criterion unit build/release/tests/unit_tests
    RELUD=build/release/relud criterion api build/release/tests/api_tests
    script conformance make --no-print-directory conformance
    script docs /usr/bin/python3 tests/docs.py
    script live /usr/bin/python3 tests/live.py
    script monitoring /usr/bin/python3 tests/monitoring.py
    script browser tests/browser/test.sh
fi
if build asan BUILD=build/asan SAN=address,undefined all tests; then
    sanitized asan build/asan unit api
    script fuzz make --no-print-directory fuzz FLIPS=2000 \
        FUZZED="models/digits/model.onnx tests/conformance/golden/test_activations/model.onnx"
fi
script models tests/models.sh
script container tests/container/test.sh
finish
