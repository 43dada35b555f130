# shellcheck shell=bash
# Sourced: WARs that are made on the spot, with no more than every machine has.

# A WAR whose page says a word that nobody can know before: war FILE WORD
war() {
    local work
    work=$(mktemp -d)
    mkdir "$work/WEB-INF"
    printf '<!DOCTYPE html><title>sample</title><p>This WAR says %s</p>\n' "$2" > "$work/index.html"
    printf '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0"/>\n' > "$work/WEB-INF/web.xml"
    stored_zip "$work" index.html WEB-INF/web.xml > "$1"
    rm -r "$work"
}

# Files of a directory as a zip, uncompressed, on stdout: stored_zip DIRECTORY NAME…
stored_zip() {
    local name size sum at=0 central entry
    central=$(mktemp)
    for name in "${@:2}"; do
        size=$(stat -c %s "$1/$name")
        # The sum of a zip is that of gzip, which has it in its last eight bytes.
        sum=$(gzip -c "$1/$name" | tail -c 8 | head -c 4 | od -An -v -tx1 | sed 's/ /\\x/g')
        # Version 1.0, no flags, stored, midnight of 1980-01-01; then the sum, both sizes, the lengths of name and extra.
        entry="\x0a\0\0\0\0\0\0\0\x21\0$sum$(little 4 "$size")$(little 4 "$size")$(little 2 ${#name})\0\0"
        printf 'PK\x03\x04%b%s' "$entry" "$name"
        cat "$1/$name"
        # The same, of no comment, disk or attributes, and where it is.
        printf 'PK\x01\x02\x0a\0%b\0\0\0\0\0\0\0\0\0\0%b%s' "$entry" "$(little 4 $at)" "$name" >> "$central"
        at=$((at + 30 + ${#name} + size))
    done
    cat "$central"
    size=$(stat -c %s "$central")
    printf 'PK\x05\x06\0\0\0\0%b%b%b%b\0\0' "$(little 2 $(($# - 1)))" "$(little 2 $(($# - 1)))" \
        "$(little 4 "$size")" "$(little 4 $at)"
    rm "$central"
}

# A number in so many bytes, the least first, as printf's %b reads them: little BYTES NUMBER
little() {
    local n=$2 byte
    for ((byte = 0; byte < $1; byte++)); do
        printf '\\x%02x' $((n & 255))
        n=$((n >> 8))
    done
}

word() { od -An -N8 -tx1 /dev/urandom | tr -d ' \n'; }
