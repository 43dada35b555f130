#!/bin/bash
# A Docker daemon for a machine that runs none, from Debian's docker.io.
#
#   tests/e2e/offline/docker.sh up      starts it, or finds it running
#   tests/e2e/offline/docker.sh down    ends it, and puts back what it changed in the machine's network
#   tests/e2e/offline/docker.sh socket  prints its socket; fails if it does not run
#
# Its images are kept in the cache. It is known by its process id and its data directory, so no other daemon is ended.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/../settings.sh"

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
socket=$state/docker.sock
pid_file=$state/docker.pid
data=$kept/docker

# The process id in FILE, if it is still that of a process with ARGUMENT and not of whoever got the number since.
alive() { # FILE ARGUMENT
    local pid
    pid=$(cat "$1" 2> /dev/null) && tr '\0' '\n' 2> /dev/null < "/proc/$pid/cmdline" | grep -qxF -- "$2" && echo "$pid"
}

running() { alive "$pid_file" "$data"; }

answers() { docker -H "unix://$socket" version; }

# The bit of CAP_SYS_RESOURCE among those that root may ever have here.
lacks_sys_resource() {
    local bounding
    bounding=$(sed -n 's/^CapBnd:\t*//p' /proc/self/status)
    [ $(((0x$bounding >> 24) & 1)) = 0 ]
}

up() {
    if running > /dev/null && until_true 20 answers; then return; fi
    [ "$(id -u)" = 0 ] ||
        fail "no Docker daemon answers, and only root can start one; start Docker, or run this as root"
    [ ${#state} -lt 70 ] || fail "$state is too long for the path of a socket; set WAR_VOL_CACHE to a shorter one"
    "$top/tests/tools.sh" --system dockerd:docker.io iptables:iptables sysctl:procps jq:jq
    mkdir -p "$state" "$data"
    # Only kind's own network: with it goes all that is in the machine's rules for it.
    local options=(--bridge none)
    if lacks_sys_resource; then
        options+=(--add-runtime "allowed=$e2e/offline/runc-without-sys-resource" --default-runtime allowed)
    fi
    network_before
    rm -f "$pid_file"
    # A containerd that was killed with its daemon may be taken for running, and waited for in vain.
    alive "$state/exec/containerd/containerd.pid" "$state/exec/containerd/containerd.toml" > /dev/null ||
        rm -f "$state/exec/containerd/containerd.pid"
    say "starting a Docker daemon; its log is $state/dockerd.log"
    # The lock of the caller (9) is not the daemon's.
    setsid dockerd --data-root "$data" --exec-root "$state/exec" --pidfile "$pid_file" -H "unix://$socket" \
        "${options[@]}" > "$state/dockerd.log" 2>&1 < /dev/null 9>&- &
    until_true 60 answers || {
        tail -n 5 "$state/dockerd.log" >&2
        fail "the Docker daemon does not answer; its last lines are above"
    }
}

down() {
    local pid
    # None was started for this cluster; it may use the one of another.
    [ -e "$state/network" ] || return 0
    if pid=$(running); then
        say "stopping the Docker daemon"
        docker -H "unix://$socket" network prune --force > /dev/null || true
        kill "$pid"
        until_true 30 gone "$pid" || fail "the Docker daemon ($pid) does not stop; see $state/dockerd.log"
    fi
    unmount_below "$data"
    unmount_below "$state/exec"
    rm -rf "$pid_file" "$socket" "$state/exec"
    network_after
}

gone() { [ ! -e "/proc/$1" ]; }

# A daemon that is killed leaves its directory mounted, and each a container on the machine's own network; the last first.
unmount_below() {
    local at
    findmnt --list --noheadings --output TARGET | tac | while read -r at; do
        [[ $at != "$1" && $at != "$1"/* ]] || umount "$at"
    done
}

# A daemon forwards, refuses to forward for others, and leaves its chains behind: what was before is noted once.
network_before() {
    [ ! -e "$state/network" ] || return 0
    {
        sysctl --ignore net.ipv4.ip_forward net.ipv6.conf.all.forwarding
        iptables -S FORWARD | sed -n 's/^-P FORWARD /policy = /p'
    } > "$state/network.new"
    mv "$state/network.new" "$state/network"
}

network_after() {
    local table chain rule
    for table in filter nat; do
        iptables -t $table -S | sed -n 's/^-A \(.* -j DOCKER.*\)/-D \1/p' | while read -r -a rule; do
            iptables -t $table "${rule[@]}"
        done
        for chain in $(iptables -t $table -S | sed -n 's/^-N \(DOCKER.*\)/\1/p'); do
            iptables -t $table -F "$chain"
            iptables -t $table -X "$chain"
        done
    done
    iptables -P FORWARD "$(sed -n 's/^policy = //p' "$state/network")"
    grep ^net "$state/network" | sysctl --quiet --load -
    rmdir /sys/fs/cgroup/{,*/}docker 2> /dev/null || true
    rm -f "$state/network"
}

case ${1-} in
    up) up ;;
    down) down ;;
    socket) running > /dev/null && echo "$socket" ;;
    *) fail "usage: up, down or socket" ;;
esac
