# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# What the image says of itself, to those who scan it.

# The crates that are linked into the program or run in its build, a line each: crates EDGES
crates() {
    cargo tree --quiet --locked --manifest-path "$top/Cargo.toml" --edges "$1" --prefix none --format '{p}' \
        --target "$(rustc -vV | sed -n 's/^host: //p')" | cut -d' ' -f1,2 | grep -v '^war-vol ' | sort -u
}

# A list may have crates that only a feature of the tests brings, and none that is not locked: is_whole LIST EDGES
is_whole() {
    local differ
    crates "$2" > "$scratch/needed"
    [ "$(wc -l < "$scratch/needed")" -gt 100 ] || fail "cargo tree lists next to nothing"
    sed -n '/^name = /{s/name = "\(.*\)"/\1/;N;s/\nversion = "\(.*\)"/ v\1/;p}' "$top/Cargo.lock" | sort -u > "$scratch/locked"
    differ=$(comm -23 "$scratch/needed" "$1")
    [ -z "$differ" ] || fail "$(basename "$1") does not list: ${differ//$'\n'/, }"
    differ=$(comm -13 "$scratch/locked" "$1")
    [ -z "$differ" ] || fail "$(basename "$1") lists what is not in Cargo.lock: ${differ//$'\n'/, }"
}

# What is in the image, without a container that ever runs: taken_out PATH…
taken_out() {
    local container path
    container=$(docker create "$image")
    for path in "$@"; do docker cp "$container:$path" "$scratch/" > /dev/null || break; done
    docker rm "$container" > /dev/null
}

case_the_image_says_what_its_program_is_made_of() {
    local reader
    "$top/tests/tools.sh" rust-audit-info >&2
    reader=$("$top/tests/tools.sh" --where rust-audit-info)
    taken_out /usr/local/bin/war-vol /usr/share/doc/war-vol/war-vol.cdx.json
    "$reader" "$scratch/war-vol" > "$scratch/carried.json" ||
        fail "the program in $image does not carry the list of its crates; build it with tests/e2e/image.sh"
    tr '{' '\n' < "$scratch/carried.json" |
        sed -n 's/^"name":"\([^"]*\)","version":"\([^"]*\)".*/\1 v\2/p' | sort -u > "$scratch/program"
    is_whole "$scratch/program" normal,build
    sed -n 's#^ *"purl": "pkg:cargo/\([^@]*\)@\([^"?]*\)",*$#\1 v\2#p' "$scratch/war-vol.cdx.json" | sort -u \
        > "$scratch/bill"
    is_whole "$scratch/bill" normal
    ! grep -qF "$top" "$scratch/war-vol.cdx.json" || fail "the bill of materials says where it was written"
}
