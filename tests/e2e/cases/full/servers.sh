# shellcheck shell=bash disable=SC2154,SC2016 # run.sh and settings.sh say it; shells in pods fill it in
# What servers do when the content of their volume changes: one example of deploy/examples each. Meanwhile a client sends
# about 20 requests a second, and what it did not get is printed. That fails a case only where nothing may be lost.

case_tomcat_with_an_external_docbase_loses_nothing_up_to_the_versions_of_2025() {
    wars_are_served
    is_deployed upgraded-docbase 8080/ < <(example tomcat-docbase-upgrade.yaml)
    changes_without_a_restart
    is_replaced_by_nothing_broken
    must_lose_nothing
    is_over
}

case_tomcat_with_an_external_docbase_loses_a_few_since_2026() {
    wars_are_served
    is_deployed upgraded-docbase 8080/ < <(example tomcat-docbase-upgrade.yaml | sed 's#tomcat:9-#tomcat:11-#')
    changes_without_a_restart
    is_replaced_by_nothing_broken
    is_over
}

# Tomcat notes the file's time after a reload: what comes during one, it never sees. The driver waits until that is over.
case_tomcat_with_an_external_docbase_serves_what_is_wanted_while_another_version_starts() {
    local version settle=15s third
    wars_are_served
    third=$(word)
    slowly_starting_war "$scratch/slow" "$second"
    war "$scratch/third" "$third"
    origin "v2/sample.war=$scratch/slow" "v4/sample.war=$scratch/third"
    for version in 9 11; do
        is_deployed upgraded-docbase 8080/ < <(example tomcat-docbase-upgrade.yaml | sed "s#tomcat:9-#tomcat:$version-#")
        wanted v2 upgraded-docbase
        until_true 60 logs_say 'v2 is starting' || explain "Tomcat does not begin to start v2"
        wanted v4 upgraded-docbase
        ! logs_say 'Reloading Context .* is completed' || fail "v2 had started before v4 was wanted"
        until_true 120 shows "$third" || explain "Tomcat does not serve v4"
        is_over
    done
}
logs_say() { in_space logs upgraded-docbase | grep -q "$1"; }

# It takes five seconds to start: slowly_starting_war FILE WORD
slowly_starting_war() {
    local work=$scratch/slow-war
    mkdir -p "$work/WEB-INF"
    printf '<p>This WAR says %s</p>\n' "$2" > "$work/index.html"
    cat > "$work/slow.jsp" << 'JSP'
<%! public void jspInit() { System.out.println("v2 is starting"); try { Thread.sleep(5000); } catch (InterruptedException e) { } } %>
JSP
    cat > "$work/WEB-INF/web.xml" << 'XML'
<web-app><servlet><servlet-name>slow</servlet-name><jsp-file>/slow.jsp</jsp-file><load-on-startup>1</load-on-startup></servlet></web-app>
XML
    stored_zip "$work" index.html slow.jsp WEB-INF/web.xml > "$1"
}

# The old version goes when the driver removes its file, and does not come back.
case_tomcat_deploys_in_parallel_from_a_read_only_volume() {
    local version deployed
    wars_are_served
    for version in 9 11; do
        is_deployed upgraded-read-only 8080/ < <(example tomcat-read-only-upgrade.yaml |
            sed "s#tomcat:9-#tomcat:$version-#; s#drain: 1m#drain: 5s#")
        changes_without_a_restart
        until_true 60 has_one_version || explain "the driver does not remove the old versions"
        is_replaced_by_nothing_broken
        # The first one, and one for each change.
        deployed=$(in_space logs upgraded-read-only | grep -c 'Deployment of web application archive .* has finished')
        [ "$deployed" = $((1 + ${#all_changes[@]})) ] || fail "Tomcat has deployed a WAR $deployed times"
        must_lose_nothing
        is_over
    done
}
has_one_version() { [ "$(in_space exec upgraded-read-only -- ls webapps | wc -l)" = 1 ]; }

# The listener of the new one is missing.
case_tomcat_goes_on_with_the_old_version_if_the_new_one_does_not_start() {
    local version
    wars_are_served
    mkdir -p "$scratch/broken/WEB-INF"
    printf '<web-app><listener><listener-class>example.Missing</listener-class></listener></web-app>\n' \
        > "$scratch/broken/WEB-INF/web.xml"
    stored_zip "$scratch/broken" WEB-INF/web.xml > "$scratch/broken.war"
    origin "v4/sample.war=$scratch/broken.war"
    for version in 9 11; do
        is_deployed upgraded-read-only 8080/ < <(example tomcat-read-only-upgrade.yaml |
            sed "s#tomcat:9-#tomcat:$version-#")
        wanted v4 upgraded-read-only
        until_true 60 has_not_started || explain "Tomcat does not say that the new version does not start"
        shows "$first" || fail "the old version is gone"
        must_lose_nothing
        is_over
    done
}
has_not_started() { in_space logs upgraded-read-only | grep -q 'Context \[##00000002\] startup failed'; }

case_jetty_deploys_the_next_war_in_place_of_the_old_one() {
    wars_are_served
    is_deployed jetty 8080/sample/ < <(example jetty-upgrade.yaml)
    changes_without_a_restart
    is_replaced_by_nothing_broken
    is_over
}

case_wildfly_deploys_the_next_war_in_place_of_the_old_one() {
    wars_are_served
    is_deployed wildfly 8080/sample/ < <(example wildfly-upgrade.yaml)
    changes_without_a_restart
    is_replaced_by_nothing_broken
    is_over
}

case_open_liberty_deploys_the_next_war_in_place_of_the_old_one() {
    wars_are_served
    is_deployed liberty 9080/sample/ < <(example liberty-upgrade.yaml)
    changes_without_a_restart
    is_replaced_by_nothing_broken
    is_over
}

# The container ends, and the pod stays.
case_an_executable_jar_is_started_again_in_the_same_pod() {
    jars_are_served
    is_deployed spring-boot 8080/ < <(example spring-boot-upgrade.yaml)
    content v2
    must_be_restarted 1
    is_replaced_by_nothing_broken
    result
    # At once the first time; after that, kubelet waits, and longer each time.
    requests_begin
    content v1
    must_be_restarted 2
    is_over
}
must_be_restarted() { # TIMES
    until_true 30 is_restarted "$1" || fail "the pod is another one, or was not restarted $1 times: $(lives spring-boot)"
    before=$(lives spring-boot)
}
is_restarted() { [[ $(lives spring-boot) == "${before%% *} "*" $1" ]]; }

case_a_server_that_opens_its_file_for_each_request_loses_nothing() {
    words
    printf 'This file says %s\n' "$first" > "$scratch/first"
    printf 'This file says %s\n' "$second" > "$scratch/second"
    origin "v1/sample.html=$scratch/first" "v2/sample.html=$scratch/second"
    is_deployed file 8080/sample.html < <(example file-upgrade.yaml)
    changes_without_a_restart
    must_lose_nothing
    is_over
}

case_a_container_with_a_subpath_never_sees_another_content() {
    words
    echo "$first" > "$scratch/first"
    echo "$second" > "$scratch/second"
    origin "v1/thing=$scratch/first" "v2/thing=$scratch/second"
    in_space create secret generic sample-release --from-literal=version=v1 --dry-run=client -o yaml |
        in_space apply -f - > /dev/null
    waiting_pod sub "" "" "all:ro=$(inline "\${secret['version']}/thing" 'settle: "0s"' \
        'readOnly: true, nodePublishSecretRef: { name: sample-release }')" |
        sed 's#volumeMounts: \[#&{ name: all, mountPath: /one, subPath: thing, readOnly: true }, #' |
        in_space apply -f - > /dev/null
    is_ready sub
    wanted v2 sub
    until_true 60 in_sub "grep -q $second /all/thing" || explain "the directory does not show the next content"
    in_sub "grep -q $first /one" || fail "the container with subPath sees another content, and docs/upgrade.md says never"
    in_space delete pod sub > /dev/null
}
in_sub() { in_space exec sub -- sh -c "$1"; }

# Versions v1 and v2 of everything; v3 is a page that is no archive, as a login page is none.
wars_are_served() {
    words
    war "$scratch/first" "$first"
    war "$scratch/second" "$second"
    origin "v1/sample.war=$scratch/first" "v2/sample.war=$scratch/second" "v3/sample.war=$e2e/run.sh"
}
words() { first=$(word) second=$(word); }

# Executable jars with the loader of Spring Boot, and without the rest of it.
jars_are_served() {
    local work=$scratch/jar number
    "$top/tests/tools.sh" --system mvn:maven unzip:unzip javac:openjdk-17-jdk-headless >&2
    words
    mkdir -p "$work/content/BOOT-INF/classes"
    cat > "$work/Main.java" << 'JAVA'
public class Main {
    public static void main(String[] arguments) throws java.io.IOException {
        var server = com.sun.net.httpserver.HttpServer.create(new java.net.InetSocketAddress(8080), 0);
        server.createContext("/", exchange -> {
            byte[] words = Main.class.getResourceAsStream("/words").readAllBytes();
            exchange.sendResponseHeaders(200, words.length);
            try (var body = exchange.getResponseBody()) { body.write(words); }
        });
        server.start();
    }
}
JAVA
    javac --release 17 -d "$work/content/BOOT-INF/classes" "$work/Main.java"
    mvn --batch-mode --quiet org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact=org.springframework.boot:spring-boot-loader:3.5.7 -DoutputDirectory="$work" 2>&1 |
        sed $'s/\e\\[[0-9;]*m//g' >&2
    unzip -q "$work"/spring-boot-loader-*.jar 'org/*' -d "$work/content"
    printf '%s\n' 'Main-Class: org.springframework.boot.loader.launch.JarLauncher' 'Start-Class: Main' \
        'Spring-Boot-Classes: BOOT-INF/classes/' 'Spring-Boot-Lib: BOOT-INF/lib/' > "$work/manifest"
    for number in first second; do
        echo "This application says ${!number}" > "$work/content/BOOT-INF/classes/words"
        jar --create --no-compress --file "$scratch/$number" --manifest "$work/manifest" -C "$work/content" .
    done
    origin "v1/sample.jar=$scratch/first" "v2/sample.jar=$scratch/second" "v3/sample.jar=$e2e/run.sh"
}

# The example on stdin, with no time between two changes, or with $settle. Sets $pod, $url and $before, and the client
# begins.
is_deployed() { # POD PORT/PATH
    local yaml
    yaml=$(sed "s#https://example.com#$(address)#; s#^\( *\)volumeAttributes:#&\n\1  settle: ${settle:-0s}#")
    sed -n 's/^ *image: //p' <<< "$yaml" | xargs "$e2e/cluster.sh" make
    in_space apply -f - <<< "$yaml" > /dev/null
    pod=$1
    is_ready "$pod" 400
    url=http://$(in_space get pod "$pod" --output 'jsonpath={.status.podIP}'):$2
    until_true 60 shows "$first" || explain "$pod does not serve the first version"
    before=$(lives "$pod")
    requests_begin
}

shows() { in_space exec deployment/origin -- timeout 10 wget -q -O - "$url" | grep -q "says $1"; }

requests_begin() {
    lost=
    in_space delete pod "client-$pod" --ignore-not-found --wait --timeout 60s > /dev/null
    client "$pod" "$url"
    until_true 60 has_asked "$pod" 20 || explain "nobody asks $pod"
}

# Says what the client has seen; sets $lost.
result() {
    lost=$(answers "$pod" lost)
    say "$pod: $(answers "$pod" ok) answers, $lost lost"
    in_space exec "client-$pod" -- sort /tmp/why | uniq -c >&2
}

must_lose_nothing() {
    result
    [ "$lost" = 0 ] || fail "requests were lost; see above"
}

# There and back, twice.
all_changes=(v2 v1 v2 v1)
changes_without_a_restart() {
    local version
    for version in "${all_changes[@]}"; do content "$version"; done
    [ "$(lives "$pod")" = "$before" ] || fail "the pod or its container was restarted: $before, now $(lives "$pod")"
}

content() { # VERSION
    local said=$first
    [ "$1" = v1 ] || said=$second
    wanted "$1" "$pod"
    until_true 300 shows "$said" || explain "$pod does not serve $1"
}

# The driver shows nothing that is not an archive, and the old application stays.
is_replaced_by_nothing_broken() {
    wanted v3 "$pod"
    until_true 60 is_refused || explain "no event says that the next content is no archive"
    shows "$first" || shows "$second" || fail "$pod serves nothing any more"
    [ "$(lives "$pod")" = "$before" ] || fail "the pod or its container was restarted: $before, now $(lives "$pod")"
}

is_refused() {
    in_space get events --field-selector "involvedObject.uid=${before%% *}" --output jsonpath='{.items[*].message}' |
        grep -q 'keeps its content: .*/v3/sample.* is not a zip archive'
}

is_over() {
    [ -n "$lost" ] || result
    in_space delete pod "client-$pod" "$pod" --wait --timeout 120s > /dev/null
}
