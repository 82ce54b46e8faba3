#!/bin/sh
# test.sh: the page at / in a headless Chromium. Exits with 77 where there is none (the last line says why).
set -eu
cd "$(dirname "$0")/../.."
if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    echo "browser: skipped: there is no chromium with its chromedriver here (packages chromium, chromium-driver)"
    exit 77
fi
exec /usr/bin/python3 -m unittest discover --verbose --start-directory tests/browser "$@"
