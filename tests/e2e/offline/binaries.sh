#!/bin/bash
# The programs of a cluster, built from their Go modules, each once.
#
#   tests/e2e/offline/binaries.sh MODULE…       builds those that are missing
#   tests/e2e/offline/binaries.sh --missing MODULE…   what it would have to build, a line each
#   tests/e2e/offline/binaries.sh --where MODULE      the directory of its programs, whether it is there or not
#   tests/e2e/offline/binaries.sh --version MODULE
#
# A module is a folder in modules/: its go.mod has the version and, as `tool` lines, the programs; go.sum the digests.
# Where it has a program or a test of its own, that is built too, as MODULE or MODULE.test. What several versions are
# tried of has a folder for each, such as kubernetes-1.34.
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
    [resizer]=github.com/kubernetes-csi/external-resizer/v2
    [storage]=k8s.io/kubernetes
    [kruise]=github.com/openkruise/kruise
)

# What it is called without the version in its name.
plain() { echo "${1%-[0-9]*}"; }

version() {
    [ -e "$modules/${1:?name a module}/go.mod" ] ||
        fail "no module is called $1; choose from $(cd "$modules" && printf '%s ' *)"
    sed -n "s#^.*[[:space:]]${path[$(plain "$1")]} v\([0-9][^ ]*\).*#\1#p" "$modules/$1/go.mod"
}

where() { echo "$kept/tools/$(plain "$1")-$(version "$1")-$(fingerprint "$modules/$1"/*)"; }

# Without these a server reports v0.0.0, and kubeadm takes it for too old.
stamp() {
    local v
    v=$(version "$1")
    case $(plain "$1") in
        kubernetes | storage)
            printf ' -X k8s.io/component-base/version.%s' "gitVersion=v$v" "gitMajor=${v%%.*}" \
                "gitMinor=$(cut -d. -f2 <<< "$v")" gitTreeState=clean
            ;;
        containerd) echo "-X ${path[containerd]}/version.Version=v$v" ;;
        provisioner | resizer) echo "-X main.version=v$v" ;;
    esac
}

# What is built of a module: a line for each program, or `.` for that of the folder itself.
programs() {
    sed -n 's/^tool \([^(]*\)$/\1/p; /^tool (/,/^)/s/^\t//p' "$modules/$1/go.mod"
    [ ! -e "$modules/$1/main.go" ] || echo .
    ! compgen -G "$modules/$1/*_test.go" > /dev/null || echo "$1.test"
}

# The name that it gets.
named() { # MODULE PROGRAM
    case ${2##*/} in
        . | v[0-9]*) plain "$1" ;;
        *) echo "${2##*/}" ;;
    esac
}

missing() {
    local program
    if [ -e "$(where "$1")" ]; then return; fi
    for program in $(programs "$1"); do named "$1" "$program"; done
}

# That information for debuggers is left out when it is linked (-s -w), so the compiler need not make it; and it has
# done before its garbage is worth collecting. Together that is a sixth of the processor time.
compile() { # MODULE PROGRAM FILE
    [ "$1" != kind ] || ! released_kind "$3" || return 0
    local how=(-trimpath -buildvcs=false -gcflags=all=-dwarf=false -ldflags "-s -w $(stamp "$1")" -o "$3")
    export CGO_ENABLED=0 GOGC=400
    case $2 in
        # To vet it would mean to vet all that it imports.
        *.test) go -C "$modules/$1" test -c -vet=off "${how[@]}" . ;;
        *) go -C "$modules/$1" build "${how[@]}" "$2" ;;
    esac
}

# kind is needed on every way, and a machine that can pull images has it already, or can fetch it.
released_kind() { # FILE
    local version name url
    version=v$(version kind) name=kind-linux-$(dpkg --print-architecture 2> /dev/null || uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
    [ "${WAR_VOL_CLUSTER:-auto}" != make ] || return 1
    if command -v kind > /dev/null && [ "$(kind version -q)" = "${version#v}" ]; then
        say "kind on this machine has this version"
        cp "$(command -v kind)" "$1"
        return
    fi
    command -v curl > /dev/null || return 1
    url=${WAR_VOL_KIND_RELEASES:-https://github.com/kubernetes-sigs/kind/releases/download}/$version/$name
    say "downloading $url"
    curl --fail --silent --show-error --location --connect-timeout 5 --max-time 120 --output "$1.part" "$url" &&
        curl --fail --silent --show-error --location --connect-timeout 5 --max-time 20 --output "$1.sum" "$url.sha256sum" &&
        [ "$(cut -d' ' -f1 < "$1.sum")" = "$(sha256sum < "$1.part" | cut -d' ' -f1)" ] &&
        chmod 755 "$1.part" && mv "$1.part" "$1" && rm "$1.sum" || {
        rm -f "$1.part" "$1.sum"
        say "it cannot be downloaded, so it is built"
        return 1
    }
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
    [ "$1" != storage ] || [ "$(version storage)" = "$(version "kubernetes-$newest")" ] ||
        fail "modules/storage and modules/kubernetes-$newest have different versions of Kubernetes; use the same one"
    for program in $(programs "$1"); do
        name=$(named "$1" "$program")
        step "$([ "$1" = kind ] && echo getting || echo building) $name $(version "$1")" compile "$1" "$program" "$new/$name"
    done
    mv "$new" "$directory"
)

case ${1-} in
    --where) where "${2:?--where needs the name of a module}" ;;
    --version) version "${2:?--version needs the name of a module}" ;;
    --missing) for module in "${@:2}"; do missing "$module"; done ;;
    *)
        [ $# -gt 0 ] || fail "name modules: $(cd "$modules" && printf '%s ' *)"
        for module; do
            version "$module" > /dev/null
        done
        steps_left "$(for module; do missing "$module"; done | wc -l)"
        for module; do build "$module"; done
        ;;
esac
