#!/bin/bash
# Open Liberty: after a WAR in dropins whose web.xml cannot be read, the next WAR of that name is ignored.
#
# Expected: a WAR that replaces another one in dropins is deployed, also if the one before could not be started. That is
# what happens if the one before was not a zip file.
#
# What happens: if the web.xml of the bad one cannot be read (it does not parse, or names no version), the application
# fails with CWWKZ0004E, and from then on no change of the file is noticed: 404 for whatever comes, without a line in
# the log. It comes back once the file has been gone for a moment, or when the server restarts.
#
# Who meets it: whoever goes back to the version before by replacing the file, as a deployment does that is undone.
#
# Versions: Open Liberty 24.0.0.12, with the feature servlet-4.0. Upstream: not reported, as far as we know.
#
# Needs mvn, unzip, curl, and a JDK from 17 on; downloads 330 MB. The server listens on port 19080 of localhost.
set -euo pipefail

dir=$(mktemp -d)
trap 'wlp/bin/server stop > /dev/null 2>&1 || true; rm -rf "$dir"' EXIT
cd "$dir"

mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact=io.openliberty:openliberty-runtime:24.0.0.12:zip -DoutputDirectory="$dir" > mvn.log 2>&1 ||
    { cat mvn.log && false; }
unzip -q openliberty-runtime-*.zip
chmod +x wlp/bin/server
server=wlp/usr/servers/defaultServer
mkdir -p "$server/dropins"
cat > "$server/server.xml" << 'XML'
<server>
  <featureManager><feature>servlet-4.0</feature></featureManager>
  <httpEndpoint id="defaultHttpEndpoint" httpPort="19080"/>
</server>
XML

war() { # NAME WEB.XML
    mkdir -p "$1/WEB-INF"
    echo "$1" > "$1/index.html"
    echo "$2" > "$1/WEB-INF/web.xml"
    jar --create --file "$1.war" -C "$1" .
}
war v1 '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0"/>'
war v2 '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0"/>'
war unreadable '<web-app/>'
echo "not a zip" > broken.war

page() { curl --silent --output page --write-out '%{http_code}' http://localhost:19080/sample/; }
serves() { [ "$(page)" = 200 ] && grep -qx "$1" page; }
replace() { cp "$1.war" new && mv new "$server/dropins/sample.war"; }

cp v1.war "$server/dropins/sample.war"
wlp/bin/server start > /dev/null
until serves v1; do sleep 0.5; done

changed=false
observe() { # WORDS WAR EXPECTED RECORDED
    local seen
    if [ "$2" = none ]; then rm "$server/dropins/sample.war"; else replace "$2"; fi
    sleep 8 # Liberty looks twice a second
    seen=$(page)
    [ "$seen" != 200 ] || seen=$(cat page)
    printf '%-44s%-10s%s\n' "$1" "$3" "$seen"
    [ "$seen" = "$4" ] || changed=true
}
printf '%-44s%-10s%s\n' "change of dropins/sample.war" expected seen
observe "not a zip" broken 404 404
observe "then v2" v2 v2 v2 # The control.
observe "a web.xml that cannot be read" unreadable 404 404
observe "then v1" v1 v1 404
observe "then v2" v2 v2 404
observe "removed" none 404 404
observe "then v2" v2 v2 v2 # What helps.
if $changed; then echo "changed: not what was recorded"; else echo "as recorded"; fi
! $changed
