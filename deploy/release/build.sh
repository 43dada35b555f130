#!/bin/bash
# deploy/release/build.sh VERSION DIRECTORY: builds the image for this machine's platform, as its users do, and takes the
# program and its bill of materials out of it, so that what is downloaded and what is pulled are the same bytes.
#
#   DIRECTORY/war-vol-VERSION-TARGET.tar.gz     the program, its bill of materials and the licence
#   DIRECTORY/war-vol-VERSION-TARGET.cdx.json   the bill of materials alone
#   DIRECTORY/image-PLATFORM.tar                the image war-vol:VERSION-PLATFORM, for `docker load`
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=${1:?build.sh needs a version, such as 0.1.0}
directory=$(mkdir -p "${2:?build.sh needs a directory}" && cd "$2" && pwd)

platform=$(docker version --format '{{.Server.Arch}}')
image=war-vol:$version-$platform
name=war-vol-$version-$(uname -m)-unknown-linux-gnu
revision=$(git -C "$top" rev-parse HEAD)
scratch=$(mktemp -d)
container=
cleanup() {
    [ -z "$container" ] || docker rm "$container" > /dev/null
    rm -rf "$scratch"
}
trap cleanup EXIT

# Docker's own attestations would make an index of it. The workflow signs its own.
labels=(--label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.revision=$revision")
[ -z "${SOURCE_URL-}" ] || labels+=(--label "org.opencontainers.image.source=$SOURCE_URL")
BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build "${labels[@]}" --tag "$image" "$top"

# There is no C library in the image: what runs there is static.
said=$(docker run --rm "$image" --version)
[ "$said" = "war-vol $version" ] || {
    echo "release: the program says \"$said\", not \"war-vol $version\"" >&2
    exit 1
}

mkdir "$scratch/$name"
container=$(docker create "$image")
docker cp "$container:/usr/local/bin/war-vol" "$scratch/$name/"
docker cp "$container:/usr/share/doc/war-vol/." "$scratch/$name/"
cp "$scratch/$name/war-vol.cdx.json" "$directory/$name.cdx.json"
tar --create --file "$directory/$name.tar.gz" --use-compress-program 'gzip -n' --sort=name --owner=0 --group=0 \
    --numeric-owner --mtime="@$(git -C "$top" log -1 --format=%ct)" --directory "$scratch" "$name"
docker save --output "$directory/image-$platform.tar" "$image"
