#!/bin/bash
# with-engine.sh COMMAND...: runs COMMAND with a private Docker engine that has debian:bookworm-slim.
# Needs root, docker.io and debootstrap. Exits with 77 when no engine can run here; the last line says why.
#
# The engine lives in namespaces of its own, so that no process and no mount outlives this script, however
# it ends. It sets up no bridge and no firewall rules: build with `--network host`, run with `--network none` or `host`.
# The directory below is kept, so that the next run is quick; it may be removed at any time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
state=${ENGINE_STATE:-/var/tmp/relud-container-test}
base=debian:bookworm-slim

skip() {
    echo "container: skipped: $*"
    exit 77
}

prepare() {
    [ "$(id -u)" -eq 0 ] || skip "a private Docker engine needs root"
    unshare --mount --pid --fork --mount-proc true || skip "this kernel grants no namespaces"
    mkdir -p "$state"
    exec 9>"$state/lock" # one engine per directory; held until the last of its processes has gone
    flock --timeout 900 9 || skip "another run holds $state"
}

probe_overlay() {
    local dir=$state/probe
    mkdir -p "$dir"/{lower,upper,work,merged}
    mount -t overlay -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/merged" ||
        skip "this kernel mounts no overlay file system in $state"
    umount "$dir/merged"
}

start_engine() {
    export DOCKER_HOST=unix://$state/docker.sock DOCKER_CONFIG=$state/config DOCKER_BUILDKIT=1
    rm -f "$state/pid" "$state/exec/containerd/containerd.pid" # of a run that was killed: those processes have gone
    dockerd --host "$DOCKER_HOST" --data-root "$state/data" --exec-root "$state/exec" --pidfile "$state/pid" \
        --storage-driver overlay2 --bridge none --iptables=false --ip6tables=false --ip-forward=false \
        --ip-masq=false >"$state/dockerd.log" 2>&1 &
    engine=$!
    trap stop_engine EXIT
    trap 'exit 130' INT TERM
    for _ in $(seq 300); do
        docker info >/dev/null 2>&1 && return
        kill -0 "$engine" 2>/dev/null || break
        sleep .1
    done
    skip "the Docker engine does not start: $(tail -n 1 "$state/dockerd.log")"
}

# shellcheck disable=SC2317 # called by the trap
stop_engine() {
    local status=$?
    kill -TERM "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    exit "$status"
}

import_base() {
    local why
    docker image inspect "$base" >/dev/null 2>&1 ||
        tar -C "$state/rootfs" --numeric-owner --exclude ./.complete -c . |
        docker import --change 'CMD ["bash"]' - "$base" >/dev/null
    why=$(docker run --rm --network none "$base" true 2>&1) || skip "the engine cannot run a container: $why"
}

# Debian's docker goes with Debian's dockerd; another one earlier in PATH may not.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
if [ "${1:-}" != --inside ]; then
    prepare
    exec unshare --mount --pid --fork --kill-child --mount-proc "$0" --inside "$@"
fi
shift
probe_overlay
"$here/base-image.sh" "$state" || skip "no base image can be made here"
start_engine
import_base
status=0
"$@" || status=$?
docker builder prune --force --keep-storage 3GB >/dev/null 2>&1 || true
exit "$status"
