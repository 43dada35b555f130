# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# Artifacts from where they are: each source mounts one in a pod, with the login that it wants.

# A build of the snapshot is in the repository, as Maven deploys it: build NUMBER WORD
build() {
    local dir=repository/snapshots/com/example/sample/1.0-SNAPSHOT stamp=20260131.12000$1
    war "$scratch/$1.war" "$2"
    sha1sum < "$scratch/$1.war" | cut -d' ' -f1 > "$scratch/$1.sha1"
    cat > "$scratch/metadata" << XML
<metadata modelVersion="1.1.0">
  <groupId>com.example</groupId>
  <artifactId>sample</artifactId>
  <version>1.0-SNAPSHOT</version>
  <versioning>
    <snapshot><timestamp>$stamp</timestamp><buildNumber>$1</buildNumber></snapshot>
    <snapshotVersions>
      <snapshotVersion>
        <extension>war</extension><value>1.0-$stamp-$1</value><updated>${stamp/./}</updated>
      </snapshotVersion>
    </snapshotVersions>
  </versioning>
</metadata>
XML
    # Who reads the list finds the file: it comes last.
    origin "$dir/sample-1.0-$stamp-$1.war=$scratch/$1.war" "$dir/sample-1.0-$stamp-$1.war.sha1=$scratch/$1.sha1" \
        "$dir/maven-metadata.xml=$scratch/metadata"
}

# Nobody without the login sees anything of the repository.
login_is_asked_for() {
    echo '/:deployer:maven-canary' > "$scratch/login"
    origin "repository/httpd.conf=$scratch/login"
}

maven_example() {
    example tomcat-maven.yaml | sed "s#https://example.com/repository#$(address)/repository#; s/change-me/$1/; s/refresh: 1m/refresh: 10s/"
}

case_a_snapshot_of_a_private_maven_repository_is_served_and_the_next_build_too() {
    local first second before
    first=$(word) second=$(word)
    login_is_asked_for
    build 1 "$first"
    maven_example wrong | in_space apply -f - > /dev/null
    until_true 60 event_says 'maven-metadata.xml: .* answered 401 (unauthorized)' snapshot ||
        explain "no event says that the repository wants another login"
    maven_example maven-canary | in_space apply -f - > /dev/null
    is_ready snapshot
    says snapshot "" "$first"
    before=$(lives snapshot)
    build 2 "$second"
    until_true 90 serves snapshot "" "$second" || explain "the running Tomcat does not serve the next build"
    [ "$(lives snapshot)" = "$before" ] || fail "the pod or its container was restarted"
    until_true 20 event_says 'now .*/sample-1.0-20260131.120002-2.war .*, before .*/sample-1.0-20260131.120001-1.war' snapshot ||
        explain "no event names both builds"
    kubectl --namespace war-vol exec daemonset/war-vol-node --container war-vol -- war-vol volumes | grep 'sample-1.0-20260131.120002-2.war' > /dev/null ||
        fail "the list does not name the build"
    ! in_space get events --output yaml | grep maven-canary || fail "an event has the password"
    ! driver_says maven-canary || fail "the log has the password"
}
