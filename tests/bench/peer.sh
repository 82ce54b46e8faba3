#!/bin/sh
# peer.sh DIR: installs onnxruntime-node, exactly the version in package-lock.json, into DIR.
#
# Its install script would download GPU libraries, which nobody here uses: no scripts are run. The CPU
# library is in the package.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && cd "$1"
cmp -s "$here/package-lock.json" node_modules/.relud-lock 2>/dev/null && exit 0
command -v npm >/dev/null || "$here/../deps.sh" nodejs npm
cp "$here/package.json" "$here/package-lock.json" .
echo "installing: onnxruntime-node (npm, for the benchmark only, about 300 MB in $PWD)"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
cp package-lock.json node_modules/.relud-lock
