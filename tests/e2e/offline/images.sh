#!/bin/bash
# The images that tests and examples name, where nothing can be pulled: of the same name and the same manners, made of
# what Debian and Maven Central have.
#
#   tests/e2e/offline/images.sh    makes those that are missing, gives them to the Docker daemon, and prints their names
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/../settings.sh"

offline=$e2e/offline
tomcat_artifact=org.apache.tomcat:tomcat:9.0.98:zip
tomcat_sha256=741aeddc70c254412981bbbf75cf69050d6b9f378154aaa50119be305f085a6f
# A JRE as Temurin's: Java SE, and of the rest what servers use.
java_modules=java.se,jdk.charsets,jdk.crypto.cryptoki,jdk.crypto.ec,jdk.httpserver,jdk.localedata,jdk.management
java_modules+=,jdk.management.agent,jdk.naming.dns,jdk.net,jdk.security.auth,jdk.unsupported,jdk.zipfs
images=(busybox:1 tomcat:9-jre17)

# What both are made of: the commands of busybox, and users that have names.
commands() {
    local name
    mkdir -p "$1"/{bin,etc,root,tmp,var/tmp}
    chmod 1777 "$1/tmp" "$1/var/tmp"
    cp "$(command -v busybox)" "$1/bin/busybox"
    for name in $(busybox --list); do [ "$name" = busybox ] || ln -s busybox "$1/bin/$name"; done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$1/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' > "$1/etc/group"
}

make_busybox() {
    commands "$1"
    archive_of busybox:1 "$1" '{"Cmd": ["sh"]}'
}

# Where the official image has everything: /usr/local/tomcat, no application in webapps, Java in /opt/java/openjdk.
make_tomcat() {
    local java=$1/opt/java/openjdk tomcat=$1/usr/local/tomcat
    commands "$1"
    mkdir -p "$(dirname "$java")" "$(dirname "$tomcat")"
    jlink --add-modules "$java_modules" --strip-java-debug-attributes --no-header-files --no-man-pages --compress=2 \
        --output "$java"
    find "$java" -name '*.so' -exec "$offline/libraries.sh" / "$1" "$java/bin/java" {} +
    fetch "$1.fetched"
    unzip -q "$1".fetched/*.zip -d "$1.fetched"
    mv "$1".fetched/*/ "$tomcat"
    mv "$tomcat/webapps" "$tomcat/webapps.dist"
    mkdir "$tomcat/webapps"
    chmod 755 "$tomcat"/bin/*.sh
    chmod -R a+rX "$tomcat"
    chmod 777 "$tomcat"/{logs,temp,work}
    archive_of tomcat:9-jre17 "$1" '{
        "Cmd": ["catalina.sh", "run"], "WorkingDir": "/usr/local/tomcat", "ExposedPorts": {"8080/tcp": {}},
        "Env": ["PATH=/usr/local/tomcat/bin:/opt/java/openjdk/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "JAVA_HOME=/opt/java/openjdk", "CATALINA_HOME=/usr/local/tomcat", "LANG=C.UTF-8"]
    }'
}

fetch() {
    say "fetching $tomcat_artifact"
    mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact="$tomcat_artifact" -DoutputDirectory="$1" 2>&1 | sed $'s/\e\\[[0-9;]*m//g' >&2
    sha256sum --quiet --check <<< "$tomcat_sha256  $(echo "$1"/*.zip)" >&2
}

# Which recipe an image was made by: how ours are told from those that somebody could pull after all.
label=war-vol.geektime.org/recipe
recipe=$(fingerprint "$offline"/{images,archive,libraries}.sh)

# The archive of an image: all of it or nothing.
archive() { echo "$kept/images/${1//[:\/]/-}-$recipe.tar"; }

# An archive of DIRECTORY as the image NAME with CONFIG, labelled.
archive_of() { # NAME DIRECTORY CONFIG
    local config
    config=$(jq -c --arg key "$label" --arg recipe "$recipe" '. + {Labels: {($key): $recipe}}' <<< "$3")
    "$offline/archive.sh" "$1" "$2" "$config"
}

make_archive() {
    local file work
    file=$(archive "$1")
    [ ! -e "$file" ] || return 0
    "$top/tests/tools.sh" --system busybox:busybox-static jq:jq mvn:maven unzip:unzip \
        jlink:openjdk-17-jdk-headless >&2
    say "making the image $1"
    work=$kept/images/new
    rm -rf "$work" "$work.fetched" "${file%-*}"-*.tar
    mkdir -p "$work"
    "make_${1%%:*}" "$work" > "$file.new"
    mv "$file.new" "$file"
    rm -rf "$work" "$work.fetched"
}

mkdir -p "$kept/images"
exec 9> "$kept/images/lock"
flock 9
for image in "${images[@]}"; do
    there=$(docker image inspect -f "{{.Id}} {{with .Config.Labels}}{{index . \"$label\"}}{{end}}" "$image" \
        2> /dev/null || echo "no missing")
    case ${there#* } in
        '' | "$recipe") ;;
        *)
            make_archive "$image"
            docker load --quiet < "$(archive "$image")" > /dev/null
            # What has lost its name would only fill the cache.
            [ "$there" = "no missing" ] || docker rmi "${there% *}" > /dev/null 2>&1 || true
            ;;
    esac
    echo "$image"
done
