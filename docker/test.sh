#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test.sh: builds the images, all stages, and runs compose.yml: an old mail server and two proxies. Talks to both over
# TLS, looks at what their processes may do, and ends them. Uses the Docker Engine that answers, or a private one (see
# engine.sh). Exit status 77, with the reason on one line, where neither is to be had; installs nothing.
# KEEP=1 leaves the logs and says where they are. DEEPPROXY_IMAGE_TESTS=system has the image's test stage run no unit tests but
# those that stand on the system's libraries.
#
# test.sh build DIR builds alone, ahead of the rest, and writes DIR/work if that went well; test.sh clean DIR removes what it
# has built. DIR/status is written by whoever runs it, with its exit status. With DEEPPROXY_DOCKER_AHEAD=DIR, test.sh awaits
# DIR/status, shows DIR/log and goes on from there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mode=${1-all} ahead=${2-${DEEPPROXY_DOCKER_AHEAD-}}
if [ "$mode" = all ] && [ -n "$ahead" ]; then
    mode=run
    until [ -s "$ahead/status" ]; do
        sleep 1 # ctest ends it if it takes too long
    done
    cat "$ahead/log"
    status=$(cat "$ahead/status")
    [ "$status" -eq 0 ] || exit "$status"
fi
case $mode in
run | clean) work=$(cat "$ahead/work") && rm "$ahead/work" ;;
*) work=$(mktemp -d /tmp/deepproxy-docker-test.XXXXXX) ;;
esac
id=${work##*.}
id=$(printf '%s' "$id" | tr '[:upper:]' '[:lower:]')

say() { printf '%s\n' "$*"; }
fail() { failure="FAILED: $*"; printf '%s\n' "$failure" >&2; exit 1; }
skip() { printf 'skipped: %s\n' "$*"; exit 77; }

# shellcheck source=docker/engine.sh
. "$here/engine.sh"

export DEEPPROXY_IMAGE="deepproxy-test-$id:latest" LEGACY_IMAGE="deepproxy-test-$id-legacy:latest"
base="deepproxy-test-$id-base:latest"
# Addresses that nobody else on the machine uses, for an engine that is given.
export DEEPPROXY_1=127.79.41.1 DEEPPROXY_2=127.79.41.2 BACKEND_NETWORK=172.30.144.0/24
export DEEPPROXY_TLS="$work/certificate/tls"
proxies='deepproxy-1 deepproxy-2'

compose() {
    if docker compose version >/dev/null 2>&1; then
        docker compose -p "dpt$id" -f "$here/compose.yml" -f "$here/compose.test.yml" "$@"
    else
        docker-compose -p "dpt$id" -f "$here/compose.yml" -f "$here/compose.test.yml" "$@"
    fi
}

container_of() { compose ps -q "$1"; }
facts() { docker inspect --format "$2" "$(container_of "$1")"; }

# ---- taking it down ----

# However far it came. What is left of a private engine's containers ends with it.
clean_up() {
    status=$?
    trap '' INT TERM
    set +e
    if [ "$mode" = build ] && [ $status -eq 0 ]; then
        engine_stop
        printf '%s\n' "$work" >"$ahead/work"
        exit 0
    fi
    if [ -n "$started" ]; then
        [ $status -eq 0 ] || { compose logs --no-color --tail 40; say "${failure-}"; }
        compose down -v --timeout 5 >>"$work/compose.log" 2>&1
    fi
    [ "$engine" != given ] || docker image rm -f "$DEEPPROXY_IMAGE" "${DEEPPROXY_IMAGE%:*}:$version" "$LEGACY_IMAGE" \
        "$base" >/dev/null 2>&1
    engine_stop
    engine_forget
    if [ -n "${KEEP-}" ]; then
        rm -rf "$work/data" "$work/run"
        say "logs: $work"
    else
        rm -rf "$work"
    fi
    exit $status
}
started=''
version=$(sed -n 's/^project(deepproxy VERSION \([0-9.]*\).*/\1/p' "$here/../CMakeLists.txt")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# ---- building ----

logged() { # NAME COMMAND...
    log=$work/$1.log
    shift
    "$@" >"$log" 2>&1 || { tail -n 200 "$log" >&2; return 1; }
}

build() {
    from=$(engine_base "$base") || skip "no base image: $(tail -n 1 "$work/base.log")"
    say "base image: $from"
    IMAGE=${DEEPPROXY_IMAGE%:*} logged image "$here/build.sh" --network host --build-arg "BASE=$from" \
        --build-arg "TESTS=${DEEPPROXY_IMAGE_TESTS-unit}" || fail 'the image was not built'
    grep -h 'tests passed' "$work/image.log" || say 'unit tests: as before, from the cache'
    logged legacy docker build --network host --build-arg "BASE=$from" -t "$LEGACY_IMAGE" "$here/legacy" ||
        fail 'the old server was not built'
    say "image: $(docker image inspect --format '{{.Size}}' "$DEEPPROXY_IMAGE") bytes"
}

# ---- running ----

await_healthy() { # SERVICE
    tries=0
    until [ "$(facts "$1" '{{.State.Health.Status}}')" = healthy ]; do
        tries=$((tries + 1))
        [ $tries -lt 120 ] || fail "$1 is not healthy: $(facts "$1" '{{json .State.Health}}')"
        sleep 0.5
    done
    say "$1: healthy"
}

start() {
    "$here/make-certificate.sh" "$work/certificate" localhost $DEEPPROXY_1 $DEEPPROXY_2 >/dev/null
    compose config -q || fail 'compose.yml is refused'
    started=yes
    logged up compose up -d --no-build || fail 'the containers do not start'
    for proxy in $proxies; do
        await_healthy "$proxy"
    done
}

# ---- what the processes may do ----

expect() { # WHAT EXPECTED ACTUAL
    [ "$2" = "$3" ] || fail "$1: expected \"$2\", found \"$3\""
}

status_field() { printf '%s\n' "$process" | sed -n "s/^$1:[[:space:]]*//p" | tr '\t' ' '; }

children_of() { engine_inside cat "/proc/$1/task/$1/children"; }

# Of the children of the container's first process, the parent.
child_named() { # SERVICE NAME
    for child in $(children_of "$(facts "$1" '{{.State.Pid}}')"); do
        [ "$(engine_inside cat "/proc/$child/comm")" != "$2" ] || printf '%s' "$child"
    done
}

check_confinement() { # SERVICE PID
    pid=$2
    process=$(engine_inside cat "/proc/$pid/status") || fail "$1: the engine's processes can't be seen from here"
    expect "$1: user" '10001 10001 10001 10001' "$(status_field Uid)"
    expect "$1: group" '10001 10001 10001 10001' "$(status_field Gid)"
    for set in CapInh CapPrm CapEff CapBnd CapAmb; do
        expect "$1: $set" 0000000000000000 "$(status_field $set)"
    done
    expect "$1: NoNewPrivs" 1 "$(status_field NoNewPrivs)"
    expect "$1: seccomp filter" 2 "$(status_field Seccomp)"
    root=$(engine_inside grep -E '^[0-9]+ [0-9]+ [^ ]+ [^ ]+ / ' "/proc/$pid/mountinfo" | cut -d ' ' -f 6)
    expect "$1: root file system" ro "${root%%,*}"
    expect "$1: limits" '256 268435456' "$(facts "$1" '{{.HostConfig.PidsLimit}} {{.HostConfig.Memory}}')"
    say "$1: user 10001, no capabilities, read-only root"
}

# The process that has the private keys, behind its guard: a filter of its own on top of the container's.
check_key_process() { # SERVICE
    guard=$(child_named "$1" deepproxy-keys)
    signer=$(children_of "$guard" | tr -d ' ')
    [ -n "$signer" ] || fail "$1: there is no key process"
    for pid in "$guard" "$signer"; do
        process=$(engine_inside cat "/proc/$pid/status")
        expect "$1: user of the key process" '10001 10001 10001 10001' "$(status_field Uid)"
        expect "$1: CapPrm of the key process" 0000000000000000 "$(status_field CapPrm)"
        expect "$1: seccomp filter of the key process" 2 "$(status_field Seccomp)"
        # What can't be dumped belongs to root, as the kernel shows it.
        expect "$1: owner of the key process's memory" 0 "$(engine_inside stat -c %u "/proc/$pid/mem")"
    done
    say "$1: private keys in a process of their own, which the proxy's user can't read"
}

# ---- what is killed comes again ----

check_restart() { # SERVICE NAME
    before=$(child_named "$1" "$2")
    engine_inside kill -KILL "$before"
    tries=0
    until after=$(child_named "$1" "$2") && [ -n "$after" ] && [ "$after" != "$before" ] &&
        docker exec "$(container_of "$1")" /usr/sbin/deepproxy probe >/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 40 ] || fail "$1: $2 was killed and does not come again"
        sleep 0.5
    done
    say "$1: $2 was killed and is there again"
}

# ---- what the old server learned ----

check_backend() {
    compose logs --no-color legacy >"$work/legacy-server.log"
    grep -q 'ID sent: .*tls=TLS_' "$work/legacy-server.log" || fail 'the old server was not told the cipher suite'
    logins=$(grep -E '(Login|Logged in): user=<demo>' "$work/legacy-server.log") || fail 'no login reached the old server'
    case $logins in
    *"rip=${BACKEND_NETWORK%.*}."*) fail 'the old server took a proxy for the client' ;;
    esac
    say 'the old server knows the cipher suites, and the addresses of the clients'
}

# ---- ending ----

# A session that nobody ends must not keep the proxy from ending within Docker's ten seconds.
check_stop() { # SERVICE ADDRESS
    engine_inside python3 "$here/test_client.py" idle "$2" "$work/certificate/ca.pem" >"$work/idle" &
    client=$!
    tries=0
    until grep -q idle "$work/idle"; do
        tries=$((tries + 1))
        [ $tries -lt 40 ] || fail "$1: no session"
        sleep 0.5
    done
    docker stop "$(container_of "$1")" >/dev/null
    expect "$1: after docker stop" 'exited 0 false' "$(facts "$1" '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}')"
    wait $client || fail "$1: the client of a session that went on was not told of the end"
    say "$1: ended in order, exit status 0"
}

engine_check
[ "$mode" != clean ] || exit 0
if [ "$mode" != run ]; then
    engine_start building
    build
    [ "$mode" != build ] || exit 0
    engine_stop
fi
engine_start running
start
for proxy in $proxies; do
    check_confinement "$proxy" "$(facts "$proxy" '{{.State.Pid}}')"
    check_confinement "$proxy" "$(child_named "$proxy" deepproxy)"
    check_key_process "$proxy"
done
engine_inside python3 "$here/test_client.py" mail "$DEEPPROXY_1" "$DEEPPROXY_2" "$work/certificate/ca.pem"
check_backend
errors=$(compose logs --no-color deepproxy-1 deepproxy-2 | grep -i 'error:\|level=error' || :)
expect 'errors in the logs of the proxies' '' "$errors"
check_restart deepproxy-2 deepproxy
check_restart deepproxy-2 deepproxy-keys
check_stop deepproxy-1 $DEEPPROXY_1
check_stop deepproxy-2 $DEEPPROXY_2
say 'all well'
