#!/bin/bash
# deploy/release/notes.sh VERSION: what CHANGELOG.md says of that version, without its heading, which must have a date.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=${1:?notes.sh needs a version, such as 0.1.0}

date='[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
notes=$(awk -v heading="^## [[]${version//./[.]}[]] - $date\$" '
    /^## / { inside = $0 ~ heading; next }
    inside { print }
' "$top/CHANGELOG.md")
# $(…) takes the blank lines at the end; here go those at the beginning.
while [ "${notes:0:1}" = $'\n' ]; do notes=${notes:1}; done
[ -n "$notes" ] || {
    echo "release: CHANGELOG.md has no section \"## [$version] - YEAR-MONTH-DAY\", or nothing in it" >&2
    exit 1
}
printf '%s\n' "$notes"
