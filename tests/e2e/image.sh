#!/bin/bash
# tests/e2e/image.sh [--binary FILE | --quick]: builds the static binary, or takes the one in FILE, and from it the image
# war-vol:dev, and puts that into the cluster. Nothing is pulled. The build is the one of `make bench`: the program
# carries the list of its crates, and the image its bill of materials.
#
# With --quick it is the image war-vol:demo, for those who wait: compiled without optimisation, and without these lists.
# --build after that builds the binary, and no more.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

authorities=/etc/ssl/certs/ca-certificates.crt
host=$(rustc -vV | sed -n 's/^host: //p')
built=${CARGO_TARGET_DIR:-$top/target}/$host
how=(--locked --bin war-vol --target "$host" --manifest-path "$top/Cargo.toml")
flags='-C target-feature=+crt-static'

# Without what is for debuggers and for a next build.
build_quickly() { CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 RUSTFLAGS=$flags cargo build "${how[@]}"; }

build() {
    "$top/tests/tools.sh" cargo-auditable
    RUSTFLAGS=$flags "$("$top/tests/tools.sh" --where cargo-auditable)" auditable build --release "${how[@]}"
}

# The image of what is in $context.
make_image() {
    local before now
    cp "$authorities" "$top/LICENSE" "$context/"
    before=$(docker image inspect -f '{{.Id}}' "$image" 2> /dev/null || true)
    now=$(docker build --quiet --target from-binary --tag "$image" --file "$top/Dockerfile" "$context" \
        2> "$context/log") || {
        cat "$context/log" >&2
        fail "the image cannot be built; see Docker's output above"
    }
    # What has lost its name would only fill the cache.
    [ -z "$before" ] || [ "$before" = "$now" ] || docker rmi "$before" > /dev/null 2>&1 || true
    "$e2e/cluster.sh" load "$image"
}

make_quick_image() {
    # Symbols are most of it.
    strip -o "$context/war-vol" "$built/debug/war-vol"
    make_image
}

make_full_image() {
    make --silent --directory "$top" sbom
    cp "$top/target/sbom/war-vol.cdx.json" "$context/"
    cp "$binary" "$context/war-vol"
    make_image
}

[ -e "$authorities" ] || fail "missing: $authorities; install the package ca-certificates"
if [ "${1-} ${2-}" = "--quick --build" ]; then
    build_quickly
    exit
fi
[ -e "$exports" ] || fail "no cluster is up; create it with: tests/e2e/cluster.sh up"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
case ${1-} in
    --quick)
        image=$quick_image
        steps_left 2
        step "building the driver" build_quickly
        step "loading its image into the cluster" make_quick_image
        ;;
    --binary)
        binary=${2:?--binary needs a file}
        steps_left 1
        step "loading the driver's image into the cluster" make_full_image
        ;;
    *)
        binary=$built/release/war-vol
        steps_left 2
        step "building the driver in release mode" build
        step "loading its image into the cluster" make_full_image
        ;;
esac
