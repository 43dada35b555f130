# shellcheck shell=bash
# Sourced: WARs that are made on the spot.

# A WAR whose page says a word that nobody can know before: war FILE WORD
war() {
    local work
    work=$(mktemp -d)
    mkdir "$work/WEB-INF"
    printf '<!DOCTYPE html><title>sample</title><p>This WAR says %s</p>\n' "$2" > "$work/index.html"
    printf '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0"/>\n' > "$work/WEB-INF/web.xml"
    jar --create --file "$1" -C "$work" .
    rm -r "$work"
}

word() { od -An -N8 -tx1 /dev/urandom | tr -d ' \n'; }
