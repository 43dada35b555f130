#!/bin/bash
# The images that the chart, tests and examples name, where nothing can be pulled: of the same name and the same
# manners, made of what Debian, Maven Central and Go modules have.
#
#   tests/e2e/offline/images.sh [IMAGE…]    makes those that are missing, gives them to the Docker daemon, and prints
#                                           their names; without an argument those of $images
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/../settings.sh"

offline=$e2e/offline
images=(
    busybox:1
    tomcat:9-jre17
    "registry.k8s.io/sig-storage/csi-provisioner:v$("$offline/binaries.sh" --version provisioner)"
)
# Of an image that holds the program of a module in modules/, which module.
declare -A module=([csi-provisioner]=provisioner [csi-resizer]=resizer [agnhost]=storage [kruise-manager]=kruise)
# Of others the tests want a shell, and nothing of what they are called after.
declare -A like=([nginx]=busybox [glibc-dns-testing]=busybox)

# The last part of an image's name: what its function is called after, if make_program is not enough.
short() { sed 's#.*/##; s#:.*##' <<< "$1"; }

# The program of a module and nothing else.
make_program() { # DIRECTORY IMAGE
    local name
    name=$(short "$2")
    "$offline/binaries.sh" "${module[$name]}"
    cp "$("$offline/binaries.sh" --where "${module[$name]}")/$name" "$1/"
    archive_of "$2" "$1" "{\"Entrypoint\": [\"/$name\"]}"
}

# Its manifests call the program by another name, and it is not root where it writes.
make_kruise-manager() {
    mkdir -m 1777 "$1/log" "$1/tmp"
    "$offline/binaries.sh" kruise
    cp "$("$offline/binaries.sh" --where kruise)/kruise" "$1/manager"
    archive_of "$2" "$1" '{"Entrypoint": ["/manager"]}'
}

# What the others are made of: the commands of busybox, and users that have names.
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
    archive_of "$2" "$1" '{"Cmd": ["sh"]}'
}

# The one program of many uses that Kubernetes' own tests run; in some it is a shell that they want.
make_agnhost() {
    commands "$1"
    "$offline/binaries.sh" storage
    cp "$("$offline/binaries.sh" --where storage)/agnhost" "$1/"
    archive_of "$2" "$1" '{"Entrypoint": ["/agnhost"], "Cmd": ["pause"]}'
}

# Where the official images have everything: /usr/local/tomcat, no application in webapps, Java in /opt/java/openjdk. The
# tag names the major version.
make_tomcat() {
    local tomcat=$1/usr/local/tomcat version sum
    case $2 in
        *:9-*) version=9.0.98 sum=741aeddc70c254412981bbbf75cf69050d6b9f378154aaa50119be305f085a6f ;;
        *:11-*) version=11.0.24 sum=80c8c85424f2d860ac6ae1b49551307a0b472c3497d8f5a97da1e9a92af5da4c ;;
        *) fail "there is no recipe for $2" ;;
    esac
    commands "$1"
    jre "$1"
    unpack "$1" "$tomcat" "org.apache.tomcat:tomcat:$version:zip" "$sum"
    mv "$tomcat/webapps" "$tomcat/webapps.dist"
    mkdir "$tomcat/webapps"
    chmod 755 "$tomcat"/bin/*.sh
    chmod 777 "$tomcat"/{logs,temp,work}
    archive_of "$2" "$1" '{
        "Cmd": ["catalina.sh", "run"], "WorkingDir": "/usr/local/tomcat", "ExposedPorts": {"8080/tcp": {}},
        "Env": ["PATH=/usr/local/tomcat/bin:/opt/java/openjdk/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "JAVA_HOME=/opt/java/openjdk", "CATALINA_HOME=/usr/local/tomcat", "LANG=C.UTF-8"]
    }'
}

# Jetty with the modules that are on in the official image, whose webapps are those of /var/lib/jetty.
make_jetty() {
    local jetty=/usr/local/jetty base=/var/lib/jetty
    commands "$1"
    jre "$1"
    unpack "$1" "$1$jetty" org.eclipse.jetty:jetty-home:12.0.25:zip \
        4fd55871b7e0c1f9596591eebb437c666b09f6a3340aa9327e0c979934fe7fca
    mkdir -p "$1$base"
    (cd "$1$base" && java -jar "$1$jetty/start.jar" --create-start-d --add-modules=server,http,ext,resources) >&2
    archive_of "$2" "$1" "{
        \"Entrypoint\": [\"java\", \"-jar\", \"$jetty/start.jar\"], \"WorkingDir\": \"$base\", \"User\": \"999\", $(java_env)
    }"
}

make_wildfly() {
    local wildfly=/opt/jboss/wildfly
    commands "$1"
    jre "$1"
    unpack "$1" "$1$wildfly" org.wildfly:wildfly-dist:38.0.1.Final:zip \
        9461f0bf09dc7ca47b2dd4441563ce5986e146ff300eae97842af3f17e4f0e32
    chmod 755 "$1$wildfly"/bin/*.sh
    chown -R 1000:0 "$1$wildfly"
    archive_of "$2" "$1" "{
        \"Cmd\": [\"$wildfly/bin/standalone.sh\", \"-b\", \"0.0.0.0\"], \"User\": \"1000\",
        $(java_env LAUNCH_JBOSS_IN_BACKGROUND=true)
    }"
}

# Open Liberty with the one feature that the tests need; the official image has more. There is a link to its server's
# directory at /config, and is reached from other machines.
make_open-liberty() {
    local server=/opt/ol/wlp/usr/servers/defaultServer
    commands "$1"
    jre "$1"
    unpack "$1" "$1/opt/ol/wlp" io.openliberty:openliberty-runtime:24.0.0.12:zip \
        65d807b3657c4fb3c12edc64a25470ab6bdd7546b6a9b444b3d53502f5f801d9
    chmod 755 "$1/opt/ol/wlp/bin/server"
    mkdir -p "$1$server"/{dropins,configDropins/defaults} "$1"/{logs,opt/ol/wlp/output}
    echo "<server><featureManager><feature>servlet-4.0</feature></featureManager></server>" > "$1$server/server.xml"
    echo '<server><httpEndpoint id="defaultHttpEndpoint" host="*"/></server>' \
        > "$1$server/configDropins/defaults/open-default-port.xml"
    ln -s "$server" "$1/config"
    chown -R 1001:0 "$1/opt/ol" "$1/logs"
    archive_of "$2" "$1" "{
        \"Cmd\": [\"/opt/ol/wlp/bin/server\", \"run\", \"defaultServer\"], \"User\": \"1001\",
        $(java_env LOG_DIR=/logs WLP_OUTPUT_DIR=/opt/ol/wlp/output)
    }"
}

make_eclipse-temurin() {
    commands "$1"
    jre "$1"
    archive_of "$2" "$1" "{$(java_env)}"
}

# A JRE as Temurin's, where its image has it: Java SE, and of the rest what servers use.
jre() { # DIRECTORY
    local java=$1/opt/java/openjdk modules
    modules=java.se,jdk.charsets,jdk.crypto.cryptoki,jdk.crypto.ec,jdk.httpserver,jdk.localedata,jdk.management
    modules+=,jdk.management.agent,jdk.naming.dns,jdk.net,jdk.security.auth,jdk.security.jgss,jdk.unsupported,jdk.zipfs
    mkdir -p "$(dirname "$java")"
    jlink --add-modules "$modules" --strip-java-debug-attributes --no-header-files --no-man-pages --compress=2 \
        --output "$java"
    find "$java" -name '*.so' -exec "$offline/libraries.sh" / "$1" "$java/bin/java" {} +
}

# What servers find it by, and more: java_env [NAME=VALUE]…
java_env() {
    local path=/opt/java/openjdk/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    printf '"Env": ["PATH=%s", "JAVA_HOME=/opt/java/openjdk", "LANG=C.UTF-8"' "$path"
    [ $# -eq 0 ] || printf ', "%s"' "$@"
    printf ']\n'
}

# A zip that has one directory, which becomes WHERE.
unpack() { # DIRECTORY WHERE ARTIFACT SHA256
    fetch "$1.fetched" "$3" "$4"
    unzip -q "$1".fetched/*.zip -d "$1.fetched"
    mkdir -p "$(dirname "$2")"
    mv "$1".fetched/*/ "$2"
    chmod -R a+rX "$2"
}

fetch() { # DIRECTORY ARTIFACT SHA256
    say "downloading $2"
    mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact="$2" -DoutputDirectory="$1" 2>&1 | sed $'s/\e\\[[0-9;]*m//g' >&2
    sha256sum --quiet --check <<< "$3  $(echo "$1"/*.zip)" >&2
}

maker() { # IMAGE
    local name
    name=$(short "$1")
    name=${like[$name]-$name}
    if declare -F "make_$name" > /dev/null; then echo "make_$name"; else echo make_program; fi
}

has_java() { [[ $(declare -f "$(maker "$1")") == *" jre "* ]]; } # IMAGE

# Which recipe an image was made by: how ours are told from those that somebody could pull after all. Each has its own,
# so that a change to one makes no other anew.
label=war-vol.geektime.org/recipe
recipe_of() {
    local files=("$offline"/{archive,libraries}.sh) functions=(commands fetch archive_of "$(maker "$1")") name
    name=$(short "$1")
    [ -z "${module[$name]-}" ] || files+=("$offline/modules/${module[$name]}"/go.{mod,sum})
    ! has_java "$1" || functions+=(jre java_env unpack)
    fingerprint "${files[@]}" <(declare -f "${functions[@]}")
}

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
    local needs=(busybox:busybox-static jq:jq)
    ! has_java "$1" || needs+=(mvn:maven unzip:unzip jlink:openjdk-17-jdk-headless)
    "$top/tests/tools.sh" --system "${needs[@]}" >&2
    say "building the image $1"
    work=$kept/images/new
    rm -rf "$work" "$work.fetched" "${file%-*}"-*.tar
    mkdir -p "$work"
    "$(maker "$1")" "$work" "$1" > "$file.new"
    mv "$file.new" "$file"
    rm -rf "$work" "$work.fetched"
}

mkdir -p "$kept/images"
exec 9> "$kept/images/lock"
flock 9
[ $# -gt 0 ] || set -- "${images[@]}"
for image; do
    recipe=$(recipe_of "$image")
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
