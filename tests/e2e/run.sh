#!/bin/bash
# tests/e2e/run.sh [FILE…] [CASE…]: what only a real kubelet shows, on the cluster that is up, with the chart of this tree.
#
# A FILE of cases/ is named without its directory and .sh; without any, all of them run, and those of cases/last/, which
# look back at what the others did, after them. Those of cases/full/, which take long, run only if they are named, or
# with WAR_VOL_FULL=yes. Each file has a namespace of its own; its cases run in its order, and one that fails does not
# stop the others.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source-path=SCRIPTDIR source=wars.sh
source "$e2e/wars.sh"
# shellcheck source-path=SCRIPTDIR source=pods.sh
source "$e2e/pods.sh"

[ -e "$exports" ] || fail "no cluster is up; create it with: make cluster"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"

files=("$e2e"/cases/*.sh "$e2e"/cases/full/*.sh "$e2e"/cases/last/*.sh)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
wanted=("$@") passed=0 failed=()
# shellcheck disable=SC2034 # the words of pods.sh mean it
of_others=$([ -z "${WAR_VOL_NODE-}" ] || volumes_of_the_node)

cases_of() { sed -n 's/^case_\([a-z0-9_]*\)().*/\1/p' "$1"; }

is_wanted() { # FILE CASE
    local word
    if [ ${#wanted[@]} -eq 0 ]; then
        [[ $1 != */full/* ]] || [ -n "${WAR_VOL_FULL-}" ]
        return
    fi
    for word in "${wanted[@]}"; do
        if [ "$word" = "$(basename "$1" .sh)" ] || [ "$word" = "$2" ]; then return 0; fi
    done
    return 1
}

# First what it holds: a namespace with pods in it is looked at again only after half of their longest grace period.
# Then what no namespace has, and is labelled with its name.
clean() {
    kubectl --namespace "$space" delete deployments,replicasets,pods,persistentvolumeclaims --all --wait \
        --timeout 180s > /dev/null 2>&1 || true
    kubectl delete namespace "$space" --ignore-not-found --wait --timeout 180s > /dev/null
    kubectl delete storageclasses,persistentvolumes --selector "war-vol-e2e=$space" > /dev/null
}

run_file() {
    local file=$1 cases=("${@:2}") case began
    # shellcheck disable=SC2034 # the words of pods.sh mean it
    space=war-vol-e2e-$(basename "$file" .sh)
    clean
    kubectl create namespace "$space" > /dev/null
    until_true 30 kubectl --namespace "$space" get serviceaccount default || fail "$space gets no service account"
    # Anew, because the file before may have said some of its words in another way.
    # shellcheck source-path=SCRIPTDIR source=pods.sh
    source "$e2e/pods.sh"
    # shellcheck disable=SC1090 # one of many
    source "$file"
    for case in "${cases[@]}"; do
        began=$SECONDS
        # In the background, because whatever is part of a condition goes on after a command that failed.
        ("case_$case") &
        if wait $!; then
            say "ok: ${case//_/ } [$((SECONDS - began)) s]"
            passed=$((passed + 1))
        else
            say "FAILED: ${case//_/ } [$((SECONDS - began)) s]"
            failed+=("$(basename "$file" .sh): $case")
        fi
    done
    clean || failed+=("$(basename "$file" .sh): its namespace does not go")
}

for word in ${wanted[@]+"${wanted[@]}"}; do
    for file in "${files[@]}"; do
        if [ "$word" = "$(basename "$file" .sh)" ] || cases_of "$file" | grep -qx "$word"; then continue 2; fi
    done
    fail "there is no file or case $word; choose from: $(basename -a -s .sh "${files[@]}" | tr '\n' ' ')"
done
for file in "${files[@]}"; do
    chosen=()
    for case in $(cases_of "$file"); do if is_wanted "$file" "$case"; then chosen+=("$case"); fi; done
    [ ${#chosen[@]} -eq 0 ] || run_file "$file" "${chosen[@]}"
done
[ ${#failed[@]} -eq 0 ] || {
    printf '%s\n' "${failed[@]}" | sed 's/^/  /' >&2
    fail "${#failed[@]} failed, $passed passed"
}
say "$passed cases passed"
