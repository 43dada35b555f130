#!/bin/bash
# deploy/release/check.sh [VERSION]: all files that name the version name the same one.
#
# With a VERSION (0.1.0, or the tag v0.1.0) it is that one, and CHANGELOG.md has its section: the tree can be released.
# Without one they must agree with Cargo.toml. Every disagreement is listed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
chart=deploy/charts/war-vol/Chart.yaml

wrong=0
complain() {
    printf 'release: %s\n' "$*" >&2
    wrong=1
}

# Each version that is found, behind the name of its file: "FILE VERSION".
versions() {
    sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"$/Cargo.toml \1/p' Cargo.toml
    sed -n '/^name = "war-vol"$/{n;s/^version = "\(.*\)"$/Cargo.lock \1/p}' Cargo.lock
    sed -nE "s#^(version|appVersion): [\"']?([^\"']*)[\"']?\$#$chart \2#p" "$chart"
    # The image, and what Helm or a variable is given: in manifests, examples and pages.
    { grep -soE '(^|[ /`])(war-vol:|version=|--version )[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]*[0-9A-Za-z])?' \
        deploy/kubernetes/*.yaml deploy/examples/*.yaml README*.md docs/*.md || true; } | sed -E 's#:.*[:= ]# #'
}

found=$(versions)
for file in Cargo.toml Cargo.lock deploy/kubernetes/war-vol.yaml; do
    grep -q "^$file " <<< "$found" || complain "$file names no version"
done
[ "$(grep -c "^$chart " <<< "$found")" = 2 ] || complain "$chart does not name both a version and an appVersion"

version=${1-$(sed -n 's/^Cargo.toml //p' <<< "$found")}
version=${version#v}
# A registry's tag has no +, and neither has the version.
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
    complain "\"$version\" is no version such as 0.1.0 or 0.2.0-rc.1"

while read -r file has; do
    [ "$has" = "$version" ] || complain "$file has $has, not $version"
done < <(sort -u <<< "$found")

[ $# = 0 ] || deploy/release/notes.sh "$version" > /dev/null || wrong=1
exit $wrong
