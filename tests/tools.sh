#!/bin/bash
# What the tests need besides Rust and Go, installed once.
#
#   tests/tools.sh              everything the tests need
#   tests/tools.sh cargo-deny   one tool (see $tools below), and nothing of the system
#   tests/tools.sh --where TOOL the path of a tool, whether it is there or not
#   tests/tools.sh --system COMMAND:PACKAGE…    commands of the system and nothing else, as in $system below
#
# Commands of the system come from Debian's packages where this runs as root on Debian; elsewhere the missing ones
# are listed. Everything else is built or fetched into a cache outside the source tree,
#
#   ${WAR_VOL_CACHE:-$HOME/.cache/war-vol}/tools/<tool>-<version>/…
#
# so that two checkouts share it and a new version never meets an old file. A test asks for a path with --where and
# never spells it; whoever needs a tool that is missing fails and says `make tools`.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${WAR_VOL_CACHE:-${HOME:?HOME or WAR_VOL_CACHE must be set}/.cache/war-vol}/tools

actionlint_version=1.7.12
cargo_auditable_version=0.7.7
cargo_cyclonedx_version=0.5.9
cargo_deny_version=0.20.2
csi_sanity_versions=(5.4.0 5.6.0)
helm_version=3.22.0
rust_audit_info_version=0.5.4
prometheus_version=$(sed -n 's/^\tgithub.com\/prometheus\/prometheus v\([0-9.]*\).*/\1/p' "$here/tools/promtool/go.mod")
runc_version=$(sed -n 's/^\tgithub.com\/opencontainers\/runc v\([0-9.]*\).*/\1/p' "$here/tools/runc/go.mod")
kubernetes_version=$(sed -n 's/^\tk8s.io\/kubernetes v\([0-9.]*\)$/\1/p' "$here/tools/pluginmanager/go.mod")
# What is compiled, so that a changed program is never taken for the one that is in the cache.
pluginmanager_sources=$(cat "$here"/tools/pluginmanager/{main.go,go.mod,go.sum} | sha256sum | cut -c1-8)
war_artifact=org.jolokia:jolokia-war:1.7.2:war
war_sha256=2d5c7fbd9791b012edb5e83f3d161b5c273f0f88f72ff0a1ec63eeae3f78b419

tools=(cargo-deny runc pluginmanager helm promtool actionlint cargo-auditable cargo-cyclonedx rust-audit-info war
    "${csi_sanity_versions[@]/#/csi-sanity-}")

# What is looked for, and Debian's package that has it. An entry with a / is a file.
system=(
    gcc:gcc pkg-config:pkg-config make:make
    strace:strace                     # faults are injected into system calls
    mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs  # file systems that are shut down under the store
    ip:iproute2 unshare:util-linux setpriv:util-linux losetup:mount
    "/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1:libfaketime"  # the clock jumps
    bindfs:bindfs              # a disk whose server is stopped
    perl:perl-base             # takes a lease, for which there is no safe call
    curl:curl nginx:nginx-light aria2c:aria2  # what a download is measured against
    busybox:busybox-static            # the root file system of a container, so it must be static
    mvn:maven                         # fetches a real WAR
    /usr/include/seccomp.h:libseccomp-dev  # runc is linked with it
)

say() { printf 'tools: %s\n' "$*"; }
fail() {
    printf 'tools: %s\n' "$*" >&2
    exit 1
}

where() {
    case $1 in
        actionlint) echo "$cache/actionlint-$actionlint_version/actionlint" ;;
        cargo-auditable) echo "$cache/cargo-auditable-$cargo_auditable_version/bin/cargo-auditable" ;;
        cargo-cyclonedx) echo "$cache/cargo-cyclonedx-$cargo_cyclonedx_version/bin/cargo-cyclonedx" ;;
        cargo-deny) echo "$cache/cargo-deny-$cargo_deny_version/bin/cargo-deny" ;;
        runc) echo "$cache/runc-$runc_version/runc" ;;
        pluginmanager) echo "$cache/pluginmanager-$kubernetes_version-$pluginmanager_sources/pluginmanager" ;;
        helm) echo "$cache/helm-$helm_version/helm" ;;
        promtool) echo "$cache/promtool-$prometheus_version/promtool" ;;
        rust-audit-info) echo "$cache/rust-audit-info-$rust_audit_info_version/bin/rust-audit-info" ;;
        war) echo "$cache/war-$(cut -d: -f3 <<< "$war_artifact")/jolokia.war" ;;
        csi-sanity-*)
            [[ " ${tools[*]} " == *" $1 "* ]] || fail "no tool is called $1; choose from ${tools[*]}"
            echo "$cache/$1/csi-sanity"
            ;;
        *) fail "no tool is called $1; choose from ${tools[*]}" ;;
    esac
}

# The words of $system of which nothing is there.
missing_here() {
    local entry
    for entry in "${system[@]}"; do
        case ${entry%%:*} in
            /*) [ -e "${entry%%:*}" ] || echo "$entry" ;;
            busybox) static_busybox || echo "$entry" ;;
            *) command -v "${entry%%:*}" > /dev/null || echo "$entry" ;;
        esac
    done
}

static_busybox() {
    local path
    path=$(command -v busybox) && ! ldd "$path" > /dev/null 2>&1
}

install_system() {
    local missing packages
    mapfile -t missing < <(missing_here)
    [ ${#missing[@]} -gt 0 ] || return 0
    packages=("${missing[@]##*:}")
    if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
        fail "missing: ${missing[*]%%:*}. Install them (Debian's packages: ${packages[*]}), or run this as root on Debian."
    fi
    say "installing ${packages[*]}"
    keep_services_stopped
    apt-get update -qq -o DPkg::Lock::Timeout=120
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=120 \
        --no-install-recommends "${packages[@]}" > /dev/null
    mapfile -t missing < <(missing_here)
    [ ${#missing[@]} -eq 0 ] || fail "still missing after the installation: ${missing[*]%%:*}"
}

# A package that brings a service (nginx) must not start it here.
keep_services_stopped() {
    policy=/usr/sbin/policy-rc.d
    [ ! -e "$policy" ] || return 0
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
}

# These run for seconds in their life: compiled without optimisation each is ready in about a minute on two cores.
install_cargo() { # CRATE VERSION [ARGUMENT…]
    say "building $1 $2 (about a minute)"
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_TARGET_DIR="$scratch/target" \
        cargo install --quiet --locked --root "$scratch/out" "$1" --version "$2" "${@:3}"
}
install_cargo_deny() { install_cargo cargo-deny "$cargo_deny_version" --no-default-features; }
install_cargo_auditable() { install_cargo cargo-auditable "$cargo_auditable_version"; }
install_cargo_cyclonedx() { install_cargo cargo-cyclonedx "$cargo_cyclonedx_version"; }
install_rust_audit_info() { install_cargo rust-audit-info "$rust_audit_info_version"; }

install_runc() {
    command -v go > /dev/null || fail "missing: go, which builds runc $runc_version; install Go 1.24 or newer"
    say "building runc $runc_version (half a minute)"
    CGO_ENABLED=1 go -C "$here/tools/runc" build -trimpath -buildvcs=false -tags seccomp -ldflags '-s -w' \
        -o "$scratch/out/runc" github.com/opencontainers/runc
    "$scratch/out/runc" --version | grep -q libseccomp || fail "runc was built without seccomp"
}

# kubelet's own plugin manager, with which the driver registers. It brings much of Kubernetes along. That of 1.34, on
# purpose: from 1.36 on it repeats by itself a registration that failed, and would hide a driver that does not.
install_pluginmanager() {
    command -v go > /dev/null || fail "missing: go, which builds kubelet's plugin manager; install Go 1.24 or newer"
    say "building the plugin manager of Kubernetes $kubernetes_version (two minutes or more the first time)"
    CGO_ENABLED=0 go -C "$here/tools/pluginmanager" build -trimpath -buildvcs=false -ldflags '-s -w' \
        -o "$scratch/out/pluginmanager" .
}

install_war() {
    say "downloading $war_artifact"
    mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact="$war_artifact" -DoutputDirectory="$scratch/fetched" | sed $'s/\e\\[[0-9;]*m//g'
    sha256sum --quiet --check <<< "$war_sha256  $(echo "$scratch"/fetched/*)"
    mkdir -p "$scratch/out"
    mv "$scratch"/fetched/* "$scratch/out/$(basename "$(where war)")"
}

# A program of a Go module as it is published: go_install PACKAGE@VERSION HOW-LONG-IT-TAKES
go_install() {
    local program=${1%@*}
    program=${program##*/}
    command -v go > /dev/null || fail "missing: go, which builds $program; install Go 1.25 or newer"
    say "building $program ${1##*@v} ($2)"
    CGO_ENABLED=0 GOBIN=$scratch/out go install -trimpath -buildvcs=false -ldflags '-s -w' "$1"
}

install_csi_sanity() { go_install "github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity@v$1" "a minute"; }

install_helm() { go_install "helm.sh/helm/v3/cmd/helm@v$helm_version" "three minutes"; }

# Without the tag it would bring the client of every cloud along.
install_promtool() {
    command -v go > /dev/null || fail "missing: go, which builds promtool; install Go 1.25 or newer"
    say "building promtool of Prometheus $prometheus_version (three minutes)"
    CGO_ENABLED=0 go -C "$here/tools/promtool" build -trimpath -buildvcs=false -tags remove_all_sd -ldflags '-s -w' \
        -o "$scratch/out/promtool" github.com/prometheus/prometheus/cmd/promtool
}

install_actionlint() { go_install "github.com/rhysd/actionlint/cmd/actionlint@v$actionlint_version" "half a minute"; }

# Installs one tool: all of it or nothing, and once, however many ask.
install_tool() {
    local path directory scratch
    path=$(where "$1")
    [ ! -e "$path" ] || return 0
    mkdir -p "$cache"
    exec 9> "$cache/lock"
    flock 9
    if [ ! -e "$path" ]; then
        directory=$cache/$(sed "s#^$cache/##; s#/.*##" <<< "$path")
        scratch=$cache/new-$1
        rm -rf "$scratch" "$directory"
        mkdir -p "$scratch/out"
        case $1 in
            csi-sanity-*) install_csi_sanity "${1#csi-sanity-}" ;;
            *) "install_${1//-/_}" ;;
        esac
        mv "$scratch/out" "$directory"
        rm -rf "$scratch"
    fi
    exec 9>&-
}

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
case ${1-} in
    --where)
        where "${2:?--where needs the name of a tool}"
        ;;
    --system)
        system=("${@:2}")
        install_system
        ;;
    '')
        install_system
        for tool in "${tools[@]}"; do install_tool "$tool"; done
        say "ready: ${tools[*]} in $cache"
        ;;
    *)
        where "$1" > /dev/null
        install_tool "$1"
        ;;
esac
