#!/bin/bash
# A node image for kind without pulling anything: Debian's packages, kind's own files, and the programs of binaries.sh.
#
#   tests/e2e/offline/node-image.sh         makes it, if the Docker daemon does not have it, and prints its name
#   tests/e2e/offline/node-image.sh --name  prints its name
#   tests/e2e/offline/node-image.sh --steps prints in how many steps it would make it
#
# It follows images/base/Dockerfile of kind's module, from which its files come. It carries its pod network, a bridge,
# so a cluster of it has one node.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/../settings.sh"

offline=$e2e/offline
etcd=etcd-$(of_version 2)
release=v$("$offline/binaries.sh" --version "kubernetes-$kubernetes")
# What is in it; a module that is not gives it no new name.
modules=(kind containerd "$etcd" coredns "kubernetes-$kubernetes")
sums=("${modules[@]/#/$offline/modules/}")
image=kindest/node:$release-$(
    fingerprint "$offline"/{node-image,archive,libraries}.sh "${sums[@]/%//go.sum}" "$offline/modules/coredns/main.go"
)

# systemd and what kubelet and kube-proxy run; kind's Dockerfile has the list, but for file systems that nobody mounts.
packages=(
    systemd systemd-sysv dbus kmod mount util-linux e2fsprogs procps
    iptables nftables conntrack iproute2 ethtool containernetworking-plugins
    bash ca-certificates curl jq pigz libseccomp2
)

debian() {
    local codename mirror include
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # From where this machine has its packages.
    # shellcheck disable=SC2016 # apt-get fills these in
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $codename" | head -n 1)
    include=$(tr ' ' , <<< "${packages[*]}")
    mkdir -p "$kept/debs"
    # Its mounts end with it, however it ends.
    unshare --mount debootstrap --variant=minbase --cache-dir="$kept/debs" --include="$include" \
        "$codename" "$root" "$mirror" > "$work/debootstrap.log" 2>&1 || {
        tail -n 5 "$work/debootstrap.log" >&2
        fail "debootstrap failed; its last lines are above"
    }
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
}

# What Dockerfile of kind's base image does to its files and to systemd.
kind_base() {
    local files units=$root/lib/systemd/system
    files=$(go -C "$offline/modules/kind" mod download -json sigs.k8s.io/kind | jq -r .Dir)/images/base/files
    cp -r --no-preserve=mode,ownership "$files/." "$root/"
    chmod 755 "$root"/usr/local/bin/* "$root"/kind/bin/*
    find "$units/sysinit.target.wants" -name systemd-tmpfiles-setup.service -delete
    rm -f "$units"/{multi-user,local-fs,basic}.target.wants/* "$root"/etc/systemd/system/*.wants/* \
        "$units"/sockets.target.wants/*{udev,initctl}*
    echo ReadKMsg=no >> "$root/etc/systemd/journald.conf"
    chroot "$root" systemctl --quiet enable kubelet.service containerd.service undo-mount-hacks.service
    chroot "$root" systemctl --quiet mask systemd-binfmt.service # what it registers is the whole machine's
}

programs() {
    mkdir -p "$root/etc/kubernetes/manifests" "$root/opt/cni/bin"
    install "$containerd"/{containerd,containerd-shim-runc-v2,ctr} "$root/usr/local/bin/"
    install "$("$top/tests/tools.sh" --where runc)" "$root/usr/local/sbin/runc"
    install "$bin"/{kubeadm,kubelet,kubectl} "$root/usr/bin/"
    cp "$root"/usr/lib/cni/* "$root/opt/cni/bin/"
    echo "$release" > "$root/kind/version"
}

runtime() {
    # A container's score is never below its parent's: without CAP_SYS_RESOURCE lowering it is refused.
    sed -i -e 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' \
        -e "s#sandbox_image = .*#sandbox_image = \"$(images | grep /pause:)\"#" "$root/etc/containerd/config.toml"
    "$containerd/ctr" oci spec | jq '.hooks.createContainer += [{path: "/kind/bin/mount-product-files.sh"}]
        | del(.process.rlimits, .process.oomScoreAdj)' > "$root/etc/containerd/cri-base.json"
    mkdir -p "$root/etc/cni/net.d"
    # The whole pod network and not the node's part of it: 254 addresses would be few for 250 pods that come and go.
    cat > "$root/etc/cni/net.d/10-bridge.conflist" << 'END'
{
  "cniVersion": "1.0.0",
  "name": "bridge",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{ "subnet": "10.244.0.0/16" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
END
}

images() { "$bin/kubeadm" config images list --kubernetes-version "$release" 2> /dev/null; }

# kube-proxy calls iptables, which looks for its extensions at run time.
kube_proxy_root() {
    local name extensions
    mapfile -t extensions < <(cd "$root" && find usr/lib -path '*/xtables/*.so' -printf '/%p\n')
    mkdir -p "$1"/usr/sbin "$1"/run "$1"/etc
    cp "$root/usr/sbin/xtables-nft-multi" "$1/usr/sbin/"
    for name in ip{,6}tables{,-save,-restore}; do ln -s xtables-nft-multi "$1/usr/sbin/$name"; done
    (cd "$root" && cp --parents "${extensions[@]/#/.}" "$1/")
    "$offline/libraries.sh" "$root" "$1" /usr/sbin/xtables-nft-multi "${extensions[@]}"
}

# One archive for each image of a control plane: the program, and what it cannot do without.
control_plane() {
    local name image one config
    mkdir "$work/images"
    for image in $(images); do
        name=$(sed 's#.*/##; s#:.*##' <<< "$image")
        one=$work/$name config='{}'
        mkdir -p "$one/usr/local/bin" "$one/tmp"
        case $name in
            pause)
                cp "$(command -v busybox)" "$one/usr/local/bin/sleep"
                config='{"Entrypoint": ["sleep", "2147483647"]}'
                ;;
            etcd) cp "$("$offline/binaries.sh" --where "$etcd")/etcd" "$one/usr/local/bin/" ;;
            coredns)
                cp "$("$offline/binaries.sh" --where coredns)/coredns" "$one/"
                config='{"Entrypoint": ["/coredns"]}'
                ;;
            kube-proxy)
                cp "$bin/kube-proxy" "$one/usr/local/bin/"
                kube_proxy_root "$one"
                ;;
            *) cp "$bin/$name" "$one/usr/local/bin/" ;;
        esac
        "$offline/archive.sh" "$image" "$one" "$config" > "$work/images/$name.tar"
        rm -rf "$one"
    done
}

# A containerd of this machine fills the store that the node's will find; it runs nothing.
preload() {
    local archive daemon
    cat > "$work/containerd.toml" << END
version = 3
root = "$root/var/lib/containerd"
state = "$work/containerd"
disabled_plugins = ["io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri"]
[grpc]
address = "$work/containerd.sock"
END
    setpriv --pdeathsig KILL "$containerd/containerd" --config "$work/containerd.toml" > "$work/containerd.log" 2>&1 &
    daemon=$!
    until_true 30 "$containerd/ctr" -a "$work/containerd.sock" version ||
        fail "containerd does not start; see $work/containerd.log"
    for archive in "$work"/images/*.tar; do
        "$containerd/ctr" -a "$work/containerd.sock" -n k8s.io images import --no-unpack "$archive" \
            > "$work/import.log" 2>&1 || fail "containerd rejects $archive; see $work/import.log"
    done
    kill "$daemon"
    wait "$daemon" || true
}

# Those of this version that were made before something changed here; one that a cluster runs on is kept by Docker.
forget_older() {
    docker image ls --format '{{.Repository}}:{{.Tag}}' kindest/node |
        grep -E -- ":v$kubernetes\\.[0-9]+-[0-9a-f]{8}\$" | grep -vxF "$image" |
        xargs -r docker rmi > /dev/null 2>&1 || true
}

needs() {
    "$top/tests/tools.sh" --system debootstrap:debootstrap busybox:busybox-static jq:jq gcc:gcc pkg-config:pkg-config \
        /usr/include/seccomp.h:libseccomp-dev
}

# Beside the programs of binaries.sh.
own_steps=6

how_many_steps() { echo $(($("$offline/binaries.sh" --missing "${modules[@]}" | wc -l) + own_steps)); }

# In a fixed place, so that what a killed run left is found.
work=$kept/node-image root=$work/root

fresh_debian() {
    rm -rf --one-file-system "$work"
    mkdir -p "$work"
    debian
}

furnish() {
    kind_base
    programs
    runtime
}

load_control_plane() {
    control_plane
    preload
}

give_to_docker() {
    "$offline/archive.sh" "$image" "$root" '{
        "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"],
        "StopSignal": "SIGRTMIN+3",
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=docker"]
    }' | docker load > /dev/null
    rm -rf "$work"
    forget_older
}

make_image() {
    steps_left "$(how_many_steps)"
    step "installing the Debian packages for the build" needs
    WAR_VOL_STEPS_AFTER=$((${WAR_VOL_STEPS_AFTER:-0} + own_steps - 1)) "$offline/binaries.sh" "${modules[@]}"
    step "building runc" "$top/tests/tools.sh" runc
    containerd=$("$offline/binaries.sh" --where containerd)
    bin=$("$offline/binaries.sh" --where "kubernetes-$kubernetes")
    step "node image: Debian packages" fresh_debian
    step "node image: kind's files and the programs" furnish
    step "node image: control plane images" load_control_plane
    step "node image: loading it into Docker" give_to_docker
}

case ${1-} in
    --name) echo "$image" ;;
    --steps) how_many_steps ;;
    *)
        docker image inspect "$image" > /dev/null 2>&1 || make_image >&2
        echo "$image"
        ;;
esac
