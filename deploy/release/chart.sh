#!/bin/bash
# deploy/release/chart.sh VERSION IMAGE DIRECTORY: packages the chart as a release has it, and prints the path of the
# package. It has that version, and IMAGE (without a tag) as its image, so that who installs it need not name one.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=${1:?chart.sh needs a version, such as 0.1.0}
image=${2:?chart.sh needs the name of the image, such as registry.example.com/war-vol}
directory=${3:?chart.sh needs a directory for the package}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp -R "$top/deploy/charts/war-vol" "$scratch/war-vol"
cp "$top/LICENSE" "$scratch/war-vol/"
values=$scratch/war-vol/values.yaml
sed -i "s#^  repository: war-vol\$#  repository: $image#" "$values"
grep -qxF "  repository: $image" "$values" || {
    echo "release: values.yaml has no line \"  repository: war-vol\" to put the image's name into" >&2
    exit 1
}
"$("$top/tests/tools.sh" --where helm)" package "$scratch/war-vol" --version "$version" --app-version "$version" \
    --destination "$directory" >&2
echo "$directory/war-vol-$version.tgz"
