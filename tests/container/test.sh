#!/bin/bash
# test.sh: builds the Dockerfile and tries the image, with the Docker engine that answers, or else with a private one.
# Exits with 0 when everything held, with 77 when no engine can be had (the last line says why).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
base=debian:bookworm-slim

usable_engine() { # one answers, and has the base image or gets it
    { docker info && { docker image inspect "$base" || timeout 120 docker pull "$base"; }; } >/dev/null 2>&1
}

usable_engine && exec "$here/image.sh"
if [ "$(id -u)" -ne 0 ]; then
    echo "container: skipped: no Docker engine answers that has or gets $base, and a private one needs root"
    exit 77
fi
if ! "$here/../deps.sh" docker.io debootstrap procps curl; then
    echo "container: skipped: docker.io and debootstrap cannot be installed here"
    exit 77
fi
usable_engine && exec "$here/image.sh"
exec "$here/with-engine.sh" "$here/image.sh"
