#!/bin/bash
# The programs of a cluster, built from their Go modules, each once.
#
#   tests/e2e/offline/binaries.sh MODULE…       builds those that are missing
#   tests/e2e/offline/binaries.sh --where MODULE      the directory of its programs, whether it is there or not
#   tests/e2e/offline/binaries.sh --version MODULE
#
# A module is a folder in modules/: its go.mod has the version and, as `tool` lines, the programs; go.sum the digests.
# Where it has a test of its own, that is built too, as MODULE.test.
# With cold caches of Go those of a node image take a quarter of an hour on two cores.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/../settings.sh"

modules=$e2e/offline/modules
declare -A path=(
    [kind]=sigs.k8s.io/kind
    [kubernetes]=k8s.io/kubernetes
    [containerd]=github.com/containerd/containerd/v2
    [etcd]=go.etcd.io/etcd/server/v3
    [coredns]=github.com/coredns/coredns
    [provisioner]=github.com/kubernetes-csi/external-provisioner/v6
    [storage]=k8s.io/kubernetes
)

version() {
    [ -n "${path[${1:?name a module}]-}" ] || fail "no module is called $1; there are ${!path[*]}"
    sed -n "s#^.*[[:space:]]${path[$1]} v\([0-9][^ ]*\).*#\1#p" "$modules/$1/go.mod"
}

where() { echo "$kept/tools/$1-$(version "$1")-$(fingerprint "$modules/$1"/*)"; }

# Without these a server reports v0.0.0, and kubeadm takes it for too old.
stamp() {
    local v
    v=$(version "$1")
    case $1 in
        kubernetes | storage)
            printf ' -X k8s.io/component-base/version.%s' "gitVersion=v$v" "gitMajor=${v%%.*}" \
                "gitMinor=$(cut -d. -f2 <<< "$v")" gitTreeState=clean
            ;;
        containerd) echo "-X ${path[containerd]}/version.Version=v$v" ;;
        provisioner) echo "-X main.version=v$v" ;;
    esac
}

# All the programs of a module or none, and once, however many ask.
build() (
    directory=$(where "$1")
    [ ! -e "$directory" ] || exit 0
    command -v go > /dev/null || fail "missing: go, which builds $1; install Go 1.26 or newer"
    mkdir -p "$kept/tools"
    exec 9> "$kept/tools/$1.lock"
    flock 9
    [ ! -e "$directory" ] || exit 0
    new=$kept/tools/new-$1
    rm -rf "$new"
    mkdir "$new"
    [ "$1" != storage ] || [ "$(version storage)" = "$(version kubernetes)" ] ||
        fail "modules/storage and modules/kubernetes have different versions of Kubernetes; give them the same"
    programs=$(go -C "$modules/$1" list -f '{{.ImportPath}}' tool)
    for program in $programs; do
        name=${program##*/}
        [[ $name != v[0-9]* ]] || name=$1
        say "building $name $(version "$1")"
        CGO_ENABLED=0 go -C "$modules/$1" build -trimpath -buildvcs=false -ldflags "-s -w $(stamp "$1")" \
            -o "$new/$name" "$program"
    done
    if compgen -G "$modules/$1/*_test.go" > /dev/null; then
        say "building $1.test $(version "$1")"
        # To vet it would mean to vet all that it imports.
        CGO_ENABLED=0 go -C "$modules/$1" test -c -vet=off -trimpath -buildvcs=false -ldflags "-s -w $(stamp "$1")" \
            -o "$new/$1.test" .
    fi
    mv "$new" "$directory"
)

case ${1-} in
    --where) where "${2:?--where needs the name of a module}" ;;
    --version) version "${2:?--version needs the name of a module}" ;;
    *)
        [ $# -gt 0 ] || fail "name modules; there are ${!path[*]}"
        for module; do
            version "$module" > /dev/null
            build "$module"
        done
        ;;
esac
