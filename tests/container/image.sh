#!/bin/bash
# image.sh: builds the image, runs it as locked down as docker/compose.yaml does, infers, stops it.
# Needs an engine that answers and has, or can pull, the base image. Leaves no container and no image.
set -euo pipefail
cd "$(dirname "$0")/../.."
limit=16000000
run_id=$(od -A n -N 4 -t x4 /dev/urandom | tr -d ' ')
image=relud-test:$run_id
label=relud-test=$run_id
examples=models/digits/examples
begun=$SECONDS

fail() {
    echo "container: FAILED: $*"
    exit 1
}

clean_up() {
    local status=$? id
    for id in $(docker ps --all --quiet --filter "label=$label"); do
        [ "$status" -eq 0 ] || docker logs --tail 20 "$id" || true
        docker rm --force "$id" >/dev/null || true
    done
    docker image rm --force "$image" >/dev/null 2>&1 || true
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Without a bridge a container has only its own loopback, and is reached from inside its network.
network=host
docker network inspect bridge >/dev/null 2>&1 && network=default

build() {
    local log
    log=$(timeout 1200 docker build --network "$network" --tag "$image" . 2>&1) && return
    printf '%s\n' "$log" | tail -n 60
    fail "docker build"
}

run() { # run ARGUMENT...: docker run, with everything taken away that relud does not need
    docker run --label "$label" --read-only --cap-drop ALL --security-opt no-new-privileges --memory 512m "$@"
}

# start PORT ARGUMENT...: starts a container that will listen on PORT; sets id, url and enter
start() {
    local port=$1 state
    shift
    if [ "$network" = default ]; then
        id=$(run --detach --health-interval 1s --publish "127.0.0.1::$port" "$@" "$image")
    else
        id=$(run --detach --health-interval 1s --network none "$@" "$image")
    fi
    for _ in $(seq 150); do
        state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' "$id")
        [ "$state" = 'running healthy' ] && break
        [ "${state%% *}" = running ] || fail "the container did not stay up: $state"
        sleep .2
    done
    [ "$state" = 'running healthy' ] || fail "not healthy after 30 s: $state"
    url=http://127.0.0.1:$port enter=()
    if [ "$network" = default ]; then
        url=http://$(docker port "$id" "$port/tcp" | head -n 1)
    else
        enter=(nsenter --net --target "$(docker inspect --format '{{.State.Pid}}' "$id")")
    fi
}

infer() { # infer FILE CURL-ARGUMENT...
    "${enter[@]}" curl --silent --show-error --noproxy '*' --max-time 10 "$url/infer" --data "@$1" "${@:2}"
}

stop() { # exit code 0, and by itself: docker kills after 10 s, with 137
    local code
    docker stop "$id" >/dev/null
    code=$(docker inspect --format '{{.State.ExitCode}}' "$id")
    [ "$code" -eq 0 ] || fail "exit code $code after docker stop"
}

check_size() {
    local bytes
    bytes=$(docker image inspect --format '{{.Size}}' "$image")
    echo "container: the image has $bytes bytes"
    [ "$bytes" -le "$limit" ] || fail "the image has $bytes bytes, at most $limit are allowed"
}

check_content() { # the binary, shared libraries, models, and the files that every engine puts in
    local id files extra
    id=$(docker create --label "$label" --network none "$image")
    files=$(docker export "$id" | tar --list | grep -v '/$')
    extra=$(printf '%s\n' "$files" | grep -Ev '^(usr/bin/relud|lib[^ ]*/[^/]*\.so(\.[0-9]+)*)$' |
        grep -Ev '^models/(README\.md|[^/]*/(model\.onnx|config\.json|examples/[^/]*))$' |
        grep -Ev '^(\.dockerenv|dev/console|etc/(hostname|hosts|mtab|resolv\.conf))$' || true)
    [ -z "$extra" ] || fail "the image holds more than relud needs:"$'\n'"$extra"
    printf '%s\n' "$files" | sed -n 's/^\(lib.*\.so.*\)/container: \1/p'
}

check_user() {
    local uid
    uid=$(docker top "$id" -eo pid,uid | awk 'END { print $2 }')
    [ "$uid" -gt 0 ] || fail "relud runs as user $uid"
}

check_answer() {
    local answer
    answer=$(infer "$examples/one.json")
    grep -q '"labels": *\["8"\]' <<<"$answer" || fail "the label of one.json should be 8: $answer"
}

check_logs() { # check_logs PATTERN: on standard error, and nothing on standard output
    docker logs "$id" 2>&1 >/dev/null | grep "$1" >/dev/null || fail "no \"$1\" on standard error"
    [ -z "$(docker logs "$id" 2>/dev/null)" ] || fail "relud wrote to standard output"
}

check_variables() { # every option is a variable; the health check follows the port
    local code
    start 9090 --env RELUD_PORT=9090 --env RELUD_MAX_BATCH_ROWS=1
    check_answer
    code=$(infer "$examples/seven.json" --output /dev/null --write-out '%{http_code}')
    [ "$code" = 413 ] || fail "seven rows with RELUD_MAX_BATCH_ROWS=1: status $code, not 413"
}

check_exit() { # check_exit CODE ARGUMENT...: relud ARGUMENT... says why and ends with CODE
    local code
    id=$(run --detach --network none "$image" "${@:2}")
    code=$(docker wait "$id")
    [ "$code" -eq "$1" ] || fail "relud ${*:2}: exit code $code, not $1"
    check_logs '^relud: '
}

build
echo "container: built in $((SECONDS - begun)) s"
check_size
check_content
start 8080
check_user
check_answer
check_logs '^relud: listening on http://0\.0\.0\.0:8080$'
stop
check_variables
stop
check_exit 2 serve --no-such-option
check_exit 2 serve --port many
check_exit 1 healthcheck # nobody listens in there
echo "container: passed in $((SECONDS - begun)) s"
