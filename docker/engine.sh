# shellcheck shell=sh
# SPDX-License-Identifier: BSD-2-Clause
# Sourced by test.sh: a Docker Engine for it to use. One that answers is used as it is. Else, as root, a private dockerd
# runs in namespaces of its own: its processes, mounts, bridges and firewall rules are no part of the machine and end
# with it, and it keeps its files below $work. Nothing of the machine's own engine is touched.
# Expects $here (this folder), $work (an empty folder) and skip() (ends the test, with the reason).

: "${work:?}"
engine=''         # "given" or "private"
engine_keeper=''  # the process whose end ends the private engine
engine_pid=''     # its dockerd
ENGINE_SECONDS=60 # for a dockerd to start

# Runs a command where the containers are: on their network, with their process ids.
engine_inside() {
    case $engine in
    private) nsenter --target "$engine_pid" --mount --net --pid -- "$@" ;;
    *) "$@" ;;
    esac
}

engine_answers() { docker version >/dev/null 2>&1; }

engine_needs() { # PACKAGE:PROGRAM...
    for pair in "$@"; do
        command -v "${pair##*:}" >/dev/null || missing="${missing-} ${pair%%:*}"
    done
    [ -z "${missing-}" ] || skip "not installed:$missing (./dev test docker installs what it needs)"
}

engine_check() {
    engine_needs docker.io:docker openssl:openssl python3:python3
    docker compose version >/dev/null 2>&1 || engine_needs docker-compose:docker-compose
    if engine_answers; then
        engine=given
        return
    fi
    [ "$(id -u)" -eq 0 ] || skip 'no Docker Engine answers, and a private one needs root'
    engine_needs docker.io:dockerd mmdebstrap:mmdebstrap iptables:iptables iproute2:ip
    unshare --mount --net --pid --fork --mount-proc true 2>/dev/null || skip 'the kernel refuses new namespaces'
    engine=private
    export DOCKER_HOST="unix://$work/docker.sock"
}

# A private engine that builds has the machine's network and no bridge; one that runs containers has a network of its
# own, where it may have bridges. They share their images.
engine_start() { # building | running
    [ "$engine" = private ] || return 0
    case $1 in
    building) engine_private --mount --bridge=none --iptables=false --ip6tables=false ;;
    running) engine_private --net ;;
    esac
    engine_keeper=$!
    engine_await
}

# Where the machine's own containerd runs, dockerd would use that instead of one of its own: it must not see it.
# shellcheck disable=SC2016
engine_prepare='ip link set lo up; [ ! -d /run/containerd ] || mount -t tmpfs tmpfs /run/containerd; exec "$@"'

# In the background; $! is the keeper.
engine_private() { # NAMESPACE DOCKERD-OPTION...
    namespace=$1
    shift
    # setpriv: however this script ends, the keeper ends, and with it the namespaces and all that is in them.
    setpriv --pdeathsig KILL \
        unshare --mount "$namespace" --pid --fork --kill-child --mount-proc sh -c "$engine_prepare" sh \
        dockerd --data-root "$work/data" --exec-root "$work/run" --pidfile "$work/dockerd.pid" -H "$DOCKER_HOST" \
        --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/${work##*/}" "$@" >>"$work/dockerd.log" 2>&1 &
}

engine_await() {
    tries=0
    until engine_answers; do
        tries=$((tries + 1))
        if [ $tries -gt $((ENGINE_SECONDS * 2)) ] || ! kill -0 "$engine_keeper" 2>/dev/null; then
            skip "dockerd does not run here: $(tail -n 1 "$work/dockerd.log")"
        fi
        sleep 0.5
    done
    read -r engine_pid <"/proc/$engine_keeper/task/$engine_keeper/children" || : # it ends without a newline
}

engine_stop() {
    [ -n "$engine_keeper" ] || return 0
    [ -z "$engine_pid" ] || kill "$engine_pid" 2>/dev/null || :
    tries=0
    while kill -0 "$engine_keeper" 2>/dev/null && [ $tries -lt 40 ]; do
        tries=$((tries + 1))
        sleep 0.5
    done
    kill -KILL "$engine_keeper" 2>/dev/null || :
    wait "$engine_keeper" 2>/dev/null || :
    engine_keeper=''
    engine_pid=''
    rm -f "$work/dockerd.pid" "$work/docker.sock"
}

# The control groups of the private engine's containers; empty by now.
engine_forget() {
    [ "$engine" = private ] || return 0
    find /sys/fs/cgroup -depth -type d -path "*/${work##*/}*" -exec rmdir {} + 2>/dev/null || :
}

# Says the name of a base image: Debian's own where it is to be had, else one made from this machine's package sources,
# under a name of the test's own.
engine_base() { # NAME
    name=debian:trixie-slim
    if docker image inspect $name >/dev/null 2>&1 || timeout 120 docker pull -q $name >/dev/null 2>&1; then
        echo $name
        return
    fi
    "${here:?}/debian.sh" trixie "$work/base.tar" >"$work/base.log" 2>&1 || return 1
    docker import --change 'CMD ["bash"]' "$work/base.tar" "$1" >/dev/null
    rm -f "$work/base.tar"
    echo "$1"
}
