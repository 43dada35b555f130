#!/bin/bash
# The Kubernetes cluster of the tests and of the demo.
#
#   tests/e2e/cluster.sh up [IMAGE…]  creates it, or finds it running, with these images of others in it (by default all
#                                     that offline/images.sh lists); prints how to use it
#   tests/e2e/cluster.sh load IMAGE…  puts images of the Docker daemon into it
#   tests/e2e/cluster.sh make IMAGE…  makes images of others and puts them into it; where they can be pulled, nothing
#   tests/e2e/cluster.sh status       says what there is; fails if it does not answer
#   tests/e2e/cluster.sh down         removes it; what was built or fetched for it stays in the cache
#
# It is a kind cluster of one node. With a Docker daemon that can pull that is `kind create cluster` and nothing else.
# Where no daemon answers, Debian's is started for the time that the cluster is up; where the node image cannot be
# pulled, one is made out of Debian's packages and Go modules (offline/), once. WAR_VOL_CLUSTER=pull never makes one,
# WAR_VOL_CLUSTER=make never pulls.
#
# WAR_VOL_KUBECONFIG=FILE takes any other cluster. WAR_VOL_LOAD is then the command that puts an image into it, such as
# 'minikube image load {}'. (Not KUBECONFIG: what somebody has in the environment may be production.)
#
# Other scripts find the cluster with `source "$(tests/e2e/cluster.sh exports)"`: kubectl, kind and docker then mean it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

foreign=${WAR_VOL_KUBECONFIG-}

only_one() {
    mkdir -p "$state"
    exec 9> "$kept/cluster.lock"
    flock --nonblock 9 || {
        say "another run is using the cluster; waiting for it"
        flock 9
    }
}

# Which Docker: ours if it runs, else whatever the environment means.
find_docker() {
    local socket
    if socket=$("$e2e/offline/docker.sh" socket); then
        # Debian's daemon builds without BuildKit, which a newer client would ask for.
        export DOCKER_HOST=unix://$socket DOCKER_BUILDKIT=0
    fi
}

docker_answers() { timeout 10 docker version > /dev/null 2>&1; }

# Sets $node_image and says why. A pull that does not even begin within 20 s never will.
choose_image() {
    local wanted made
    wanted=${WAR_VOL_NODE_IMAGE:-$(of_version 3)}
    made=$("$e2e/offline/node-image.sh" --name)
    node_image=$made why=
    case ${WAR_VOL_CLUSTER:-auto} in
        pull)
            step "pulling the node image" pull "$wanted"
            node_image=$wanted
            ;;
        make) why="WAR_VOL_CLUSTER=make asks for it" ;;
        auto)
            if ! has_image "$made"; then
                step "trying to pull the node image" pull_or_not "$wanted"
                if has_image "$wanted"; then node_image=$wanted; else why="it cannot be pulled here"; fi
            fi
            ;;
    esac
    if [ "$node_image" != "$made" ]; then
        steps_left "$steps_from_image"
    elif ! has_image "$made"; then
        steps_left $(($("$e2e/offline/node-image.sh" --steps) + steps_from_image))
        note "The node image is made, because $why: once, and on two cores in about twenty minutes."
        WAR_VOL_STEPS_AFTER=$((${WAR_VOL_STEPS_AFTER:-0} + steps_from_image)) "$e2e/offline/node-image.sh" > /dev/null
    else
        steps_left "$steps_from_image"
    fi
}

# To create the cluster and to fill it.
steps_from_image=2

has_image() { docker image inspect "$1" > /dev/null 2>&1; }

pull_or_not() { pull "$1" || say "the image cannot be pulled"; }

pull() {
    local log=$state/pull.log pulling
    if has_image "$1"; then return; fi
    say "trying to pull $1"
    docker pull "$1" > "$log" 2>&1 &
    pulling=$!
    until_true 20 pull_has_begun_or_ended || {
        kill "$pulling"
        say "no answer within 20 s"
        return 1
    }
    wait "$pulling" || {
        tail -n 3 "$log"
        return 1
    }
}

pull_has_begun_or_ended() { grep -q 'Pulling from' "$log" || [ ! -e "/proc/$pulling" ]; }

up() {
    only_one
    if [ -n "$foreign" ]; then
        command -v kubectl > /dev/null || fail "missing: kubectl"
        kubectl --kubeconfig "$foreign" --request-timeout 20s get --raw /readyz > /dev/null ||
            fail "the cluster of WAR_VOL_KUBECONFIG=$foreign does not answer"
        printf 'export KUBECONFIG=%q\n' "$(realpath "$foreign")" > "$exports"
        say "using the cluster of $foreign; nothing is created. To use it: source $exports"
        return
    fi
    [[ ${WAR_VOL_CLUSTER:-auto} == @(auto|pull|make) ]] ||
        fail "WAR_VOL_CLUSTER=$WAR_VOL_CLUSTER: use auto, pull or make"
    find_docker
    if healthy; then
        is_of_wanted_version
        steps_left 1
    else
        create
    fi
    write_exports
    if all_is_pulled; then
        step "waiting until the cluster accepts pods" ready
    else
        step "building the images of its pods" fill "$@"
    fi
    [ -n "${WAR_VOL_STEPS_AFTER-}" ] || say "the cluster is up. To use it: source $exports"
}

fill() {
    ready
    make_images "$@"
}

create() {
    local node_image why image_steps found=yes
    docker_answers || found=no
    image_steps=$((1 + $("$e2e/offline/node-image.sh" --steps)))
    # As on a machine that has nothing; there are fewer where an image can be pulled.
    steps_left $((2 + image_steps + steps_from_image))
    if [ $found = no ]; then
        step "starting Debian's Docker daemon, because none answers" "$e2e/offline/docker.sh" up
        find_docker
    fi
    WAR_VOL_STEPS_AFTER=$((${WAR_VOL_STEPS_AFTER:-0} + image_steps + steps_from_image)) "$e2e/offline/binaries.sh" kind
    choose_image
    step "creating the cluster" kind_cluster
}

kind_cluster() {
    rm -f "$complete"
    cp "$e2e/audit-policy.yaml" "$state/"
    configuration > "$state/kind.yaml"
    # Docker may still have been carrying out what a killed run had asked for.
    kind_creates || {
        say "trying again"
        kind_creates
    } || fail "kind could not create the cluster; see above"
    # Of the cluster's own version, whatever this machine has.
    mkdir -p "$state/bin"
    docker cp "$node:/usr/bin/kubectl" "$state/bin/kubectl" > /dev/null
    touch "$complete"
}

# Before that a pod is refused, or finds no name.
ready() {
    until_true 60 ours get serviceaccount default ||
        fail "the cluster creates no service accounts; recreate it: make cluster-down cluster"
    until_true 30 ours -n kube-system get deployment coredns || 
        fail "the cluster has no CoreDNS; recreate it: make cluster-down cluster"
    ours -n kube-system rollout status deployment/coredns --timeout 120s > /dev/null ||
        fail "CoreDNS does not start; check with: kubectl -n kube-system describe pods"
}

ours() { "$state/bin/kubectl" --kubeconfig "$state/kubeconfig" "$@"; }

# First without what a killed run or a reboot left.
kind_creates() {
    kind_deletes && "$kind" create cluster --quiet --name "$cluster" --image "$node_image" --config "$state/kind.yaml" \
        --kubeconfig "$state/kubeconfig" --wait 180s
}

kind_deletes() { "$kind" delete cluster --quiet --name "$cluster" --kubeconfig "$state/kubeconfig"; }

# The image that is made here has its network inside, in place of kind's.
configuration() {
    sed "s#@state@#$state#" "$e2e/kind.yaml"
    if is_made "$node_image"; then
        printf 'networking:\n  disableDefaultCNI: true\n'
    fi
}

write_exports() {
    {
        # shellcheck disable=SC2016 # whoever sources it has a PATH of its own
        printf 'export KUBECONFIG=%q WAR_VOL_NODE=%q PATH=%q:"$PATH"\n' \
            "$state/kubeconfig" "$node" "$state/bin:$(dirname "$kind")"
        [ -z "${DOCKER_HOST-}" ] || printf 'export DOCKER_HOST=%q\n' "$DOCKER_HOST"
        [ -z "${DOCKER_BUILDKIT-}" ] || printf 'export DOCKER_BUILDKIT=%q\n' "$DOCKER_BUILDKIT"
    } > "$exports.new"
    mv "$exports.new" "$exports"
}

# By its name: a recipe's fingerprint follows the version.
is_made() { [[ $1 == *kindest/node:v*-???????? ]]; }

healthy() {
    [ -e "$complete" ] && docker_answers &&
        [ "$(docker inspect -f '{{.State.Running}}' "$node" 2> /dev/null)" = true ] &&
        until_true 30 ours --request-timeout 5s get --raw /readyz
}

# Who names no version takes the one that is up.
is_of_wanted_version() {
    local version
    [ -n "${WAR_VOL_KUBERNETES-}" ] || return 0
    version=$(ours get nodes -o jsonpath='{.items[0].status.nodeInfo.kubeletVersion}')
    [[ $version == "v$kubernetes".* ]] ||
        fail "a cluster of Kubernetes ${version#v} is up, not of $kubernetes; remove it first: make cluster-down"
}

# The node keeps a note of what it was given, by name, because kind loads again what is there.
load() {
    local id note
    if [ -n "$foreign" ]; then
        [ -n "${WAR_VOL_LOAD-}" ] ||
            fail "set WAR_VOL_LOAD to the command that loads an image into this cluster, with {} for its name"
        bash -c "${WAR_VOL_LOAD//\{\}/$(printf %q "$1")}"
        return
    fi
    id=$(docker image inspect -f '{{.Id}}' "$1" 2> /dev/null) ||
        fail "the Docker daemon has no image $1; build or pull it first"
    note=/kind/loaded/$(sha256sum <<< "$1" | cut -c1-16)
    [ "$(docker exec "$node" cat "$note" 2> /dev/null || true)" != "$id" ] || return 0
    say "loading $1"
    "$kind" load docker-image --quiet --name "$cluster" "$1"
    docker exec "$node" sh -c "mkdir -p /kind/loaded && echo $id > $note"
}

# Where the node could not be pulled, nothing can be pulled into it either. Without names: what every cluster needs.
make_images() {
    local names
    ! all_is_pulled || return 0
    names=$("$e2e/offline/images.sh" "$@")
    load_all <<< "$names"
}

all_is_pulled() { [ -n "$foreign" ] || ! is_made "$(docker inspect -f '{{.Config.Image}}' "$node")"; }

load_all() {
    local name
    while read -r name; do load "$name" < /dev/null; done
}

status() {
    if [ -n "$foreign" ]; then
        kubectl --kubeconfig "$foreign" get nodes
        return
    fi
    find_docker
    [ -z "$("$e2e/offline/docker.sh" socket)" ] || say "the Docker daemon was started for the cluster"
    healthy || fail "no cluster is up; create it with: make cluster"
    ours get nodes -o wide
}

down() {
    only_one
    if [ -n "$foreign" ]; then
        rm -f "$exports"
        say "the cluster of $foreign was not created here and is not removed"
        return
    fi
    # One that was killed, with the machine or without, comes back to end what it had begun.
    [ ! -e "$state/docker.pid" ] || "$e2e/offline/docker.sh" up
    find_docker
    if docker_answers && [ -x "$kind" ]; then kind_deletes; fi
    "$e2e/offline/docker.sh" down
    rm -rf "$state"
    say "the cluster is removed; what was built for it stays in $kept"
}

# It was created to the end; what a killed run left has none.
complete=$state/complete
kind=$("$e2e/offline/binaries.sh" --where kind)/kind
case ${1-} in
    up) up "${@:2}" ;;
    load)
        [ $# -gt 1 ] || fail "load needs image names"
        find_docker
        printf '%s\n' "${@:2}" | load_all
        ;;
    make)
        [ $# -gt 1 ] || fail "make needs image names"
        find_docker
        make_images "${@:2}"
        ;;
    status) status ;;
    exports) echo "$exports" ;;
    down) down ;;
    *) fail "usage: up [IMAGE…], load IMAGE…, make IMAGE…, status or down" ;;
esac
