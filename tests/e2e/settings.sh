# shellcheck shell=bash
# Sourced by the scripts beside it: where things are, and how they speak. It does nothing by itself.
#
# Settings of whoever calls (all optional):
#   WAR_VOL_CACHE       where everything that is built or fetched is kept; default ~/.cache/war-vol
#   WAR_VOL_KUBERNETES  the cluster's version of Kubernetes, such as 1.34; default the newest one of versions.txt
#   WAR_VOL_CLUSTER     auto (default), pull or make: the node image is pulled, or made on the spot; see cluster.sh
#   WAR_VOL_NODE_IMAGE  the node image that is pulled, instead of that of versions.txt
#   WAR_VOL_KIND_RELEASES  where kind's releases are to be had, instead of GitHub
#   WAR_VOL_KUBECONFIG  use this cluster, of which nothing is created or removed, instead of a kind cluster
#   WAR_VOL_LOAD        how an image gets into that cluster: a command in which {} stands for the image's name
#   WAR_VOL_NAME        a cluster of its own beside the usual one, such as for a second checkout; default war-vol

# shellcheck disable=SC2034 # they are for those who source this
{
    e2e=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
    top=$(cd "$e2e/../.." && pwd)
    kept=${WAR_VOL_CACHE:-${HOME:?HOME or WAR_VOL_CACHE must be set}/.cache/war-vol}
    cluster=${WAR_VOL_NAME:-war-vol} # its name in kind
    # Of the cluster that is up, and of the Docker daemon that was started for it.
    state=$kept/cluster${WAR_VOL_NAME:+-$WAR_VOL_NAME}
    node=$cluster-control-plane      # the container that is its node
    image=war-vol:${WAR_VOL_NAME:-dev} # the driver's, made of this tree
    quick_image=war-vol:demo${WAR_VOL_NAME:+-$WAR_VOL_NAME} # the same, of a quicker build
    # The exports with which kubectl, kind and docker mean the cluster; written by `cluster.sh up`.
    exports=$state/env${WAR_VOL_KUBECONFIG:+-of-another}
}

# Every line says since when: of the outermost script, however many it calls.
export WAR_VOL_STARTED=${WAR_VOL_STARTED:-$(date +%s)}
say() { printf '%s: %s (%d s)\n' "$(basename "$0" .sh)" "$*" $(($(date +%s) - WAR_VOL_STARTED)) >&2; }
fail() {
    say "$*"
    exit 1
}

# Waits until a command succeeds, and takes a word that fails for one that has not succeeded yet:
# until_true SECONDS COMMAND…
until_true() {
    local end=$((SECONDS + $1))
    shift
    until ("$@") > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

# What versions.txt has of each version of Kubernetes, a column each.
versions() { awk '!/^#/ && NF { print $1 }' "$e2e/versions.txt"; }
of_version() { # COLUMN
    local found
    found=$(awk -v version="$kubernetes" -v column="$1" '$1 == version { print $column }' "$e2e/versions.txt")
    [ -n "$found" ] || fail "WAR_VOL_KUBERNETES=$kubernetes: choose from $(versions | tr '\n' ' ')"
    echo "$found"
}
newest=$(versions | head -n 1)
kubernetes=${WAR_VOL_KUBERNETES:-$newest}

# A name for what a script makes out of these files: new when one of them changes.
fingerprint() { cat "$@" | sha256sum | cut -c1-8; }

# shellcheck source-path=SCRIPTDIR source=steps.sh
source "$e2e/steps.sh"
