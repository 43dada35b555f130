# shellcheck shell=bash
# Sourced: WARs that are made on the spot, and what a pod serves of them.

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

# shellcheck disable=SC2154 # settings.sh says where the top is
# The example of a file, with the origin of the tests in place of the documentation's: example FILE
example() { sed 's#https://example.com/v2#http://origin.war-vol-artifacts.svc.cluster.local#' "$top/deploy/examples/$1"; }

# A page of a pod's web server, through the API server: page NAMESPACE POD PATH
page() { kubectl get --raw "/api/v1/namespaces/$1/pods/$2:8080/proxy/$3"; }
