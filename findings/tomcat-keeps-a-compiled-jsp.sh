#!/bin/bash
# Tomcat: after a WAR has changed, a page can still be the old one, because its compiled class outlives the reload.
#
# One expects: when Tomcat reloads an application because its WAR is another file, all of the application is new.
#
# What happens: with the WAR outside of the Host's appBase (docBase in a context file), a change means a reload, and a
# reload keeps the work directory with the servlets that JSPs were compiled to. A JSP is compiled again only if its own
# time in the new WAR differs from that of its class. If both WARs were built with the same times, static files and
# classes are new, and JSPs are old, until their times or the work directory change. A WAR in appBase is undeployed and
# deployed, which deletes the work directory: there, everything is new.
#
# Who meets it: whoever builds reproducibly. Maven's project.build.outputTimestamp gives every entry of every WAR one
# fixed time, and jar does with --date.
#
# Versions: Tomcat 9.0.98 and 11.0.24. Upstream: not reported, as far as we know.
#
# Needs mvn, unzip, curl, and a JDK from 17 on. Each Tomcat listens on a free port of 127.0.0.1.
set -euo pipefail

dir=$(mktemp -d)
tomcat=
trap '[ -z "$tomcat" ] || kill "$tomcat"; wait; rm -rf "$dir"' EXIT
cd "$dir"

wars() {
    local version time
    mkdir -p war/WEB-INF
    echo '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0"/>' > war/WEB-INF/web.xml
    for version in v1 v2 v2-later; do
        echo "<%= \"${version%-*}\" %>" > war/page.jsp
        echo "${version%-*}" > war/page.txt
        time=2026-01-01T00:00:00Z
        [ "$version" != v2-later ] || time=2026-01-01T00:00:02Z
        jar --create --date "$time" --file "$version.war" -C war .
    done
}

tomcat_is_ready() { # VERSION
    mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact="org.apache.tomcat:tomcat:$1:zip" -DoutputDirectory="$dir" > mvn.log 2>&1 || { cat mvn.log && false; }
    unzip -q "tomcat-$1.zip"
    cd "apache-tomcat-$1"
    chmod +x bin/*.sh
    rm -r webapps/*
    mkdir -p conf/Catalina/localhost
    sed -i 's/<Engine /&backgroundProcessorDelay="1" /; s/port="8005"/port="-1"/' conf/server.xml
    sed -i 's/<Connector port="8080"/<Connector address="127.0.0.1" port="0"/' conf/server.xml
    echo "<Context docBase=\"$PWD/outside.war\"/>" > conf/Catalina/localhost/outside.xml
    cp ../v1.war outside.war
    cp ../v1.war webapps/inside.war
    bin/catalina.sh run > log 2>&1 &
    tomcat=$!
    until port=$(sed -n 's/.*http-nio-127.0.0.1-auto-[0-9]*-\([0-9]*\)"\].*/\1/p' log | head -n 1) && [ -n "$port" ] &&
        [ "$(page inside jsp) $(page outside jsp)" = 'v1 v1' ]; do sleep 0.2; done
}

page() { curl --silent "http://127.0.0.1:$port/$1/page.$2" | tr -d '\n'; }

changed=false
observe() { # APPLICATION FILE WAR EXPECTED RECORDED
    sleep 2 # Tomcat leaves a file alone that is younger than a second, and takes one only if it is newer
    cp "../$3.war" new
    mv new "$2"
    until [ "$(page "$1" txt)" = v2 ]; do sleep 0.2; done
    sleep 6 # Jasper looks at a page at most every four seconds
    printf '%-9s%-10s%-20s%-10s%s\n' "$version" "$1" "${3/-later/, a later time}" "$4" "$(page "$1" jsp)"
    [ "$(page "$1" jsp)" = "$5" ] || changed=true
}

wars
printf '%-9s%-10s%-20s%-10s%s\n' Tomcat WAR change expected seen
for version in 9.0.98 11.0.24; do
    tomcat_is_ready "$version"
    observe inside webapps/inside.war v2 v2 v2 # The control.
    observe outside outside.war v2 v2 v1
    observe outside outside.war v2-later v2 v2 # What helps.
    kill "$tomcat"
    wait "$tomcat" || true
    tomcat=
    cd "$dir"
done
if $changed; then echo "changed: not what was recorded"; else echo "as recorded"; fi
! $changed
