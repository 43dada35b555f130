#!/bin/bash
# tests/e2e/image.sh [--binary FILE]: builds the static binary, or takes the one in FILE, and from it the image
# war-vol:dev, and puts that into the cluster. Nothing is pulled. The build is the one of `make bench`: the program
# carries the list of its crates.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

authorities=/etc/ssl/certs/ca-certificates.crt
[ -e "$authorities" ] || fail "missing: $authorities; install the package ca-certificates"
[ -e "$exports" ] || fail "no cluster is up; create it with: tests/e2e/cluster.sh up"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"

if [ "${1-}" = --binary ]; then
    binary=${2:?--binary needs a file}
else
    host=$(rustc -vV | sed -n 's/^host: //p')
    binary=${CARGO_TARGET_DIR:-$top/target}/$host/release/war-vol
    "$top/tests/tools.sh" cargo-auditable >&2
    say "building the static binary (the first time three minutes)"
    RUSTFLAGS='-C target-feature=+crt-static' "$("$top/tests/tools.sh" --where cargo-auditable)" auditable build \
        --locked --release --bin war-vol --target "$host" \
        --manifest-path "$top/Cargo.toml"
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
make --silent --directory "$top" sbom >&2
cp "$top/target/sbom/war-vol.cdx.json" "$authorities" "$context/"
cp "$binary" "$context/war-vol"
say "building the image $image"
before=$(docker image inspect -f '{{.Id}}' "$image" 2> /dev/null || true)
now=$(docker build --quiet --target from-binary --tag "$image" --file "$top/Dockerfile" "$context" \
    2> "$context/log") || {
    cat "$context/log" >&2
    fail "the image cannot be built; what Docker said is above"
}
# What has lost its name would only fill the cache.
[ -z "$before" ] || [ "$before" = "$now" ] || docker rmi "$before" > /dev/null 2>&1 || true
"$e2e/cluster.sh" load "$image"
say "$image is in the cluster"
