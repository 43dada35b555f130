#!/bin/bash
# tests/e2e/each.sh [FILE…] [CASE…]: all.sh on a new cluster of each version of Kubernetes in versions.txt, the newest
# first, which has the cases of cases/full/ too. One that fails does not stop the others.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

[ -z "${WAR_VOL_KUBECONFIG-}" ] || fail "WAR_VOL_KUBECONFIG names one cluster, which has one version"
! "$e2e/cluster.sh" status > /dev/null 2>&1 || fail "a cluster is up; remove it first: make cluster-down"
export WAR_VOL_FULL=yes
passed=() failed=()
for version in $(versions); do
    say "Kubernetes $version"
    if WAR_VOL_KUBERNETES=$version "$e2e/all.sh" "$@"; then passed+=("$version"); else failed+=("$version"); fi
    export WAR_VOL_FULL=
done
[ ${#failed[@]} -eq 0 ] || fail "failed on Kubernetes ${failed[*]}; passed on: ${passed[*]:-none}"
say "passed on Kubernetes ${passed[*]}"
