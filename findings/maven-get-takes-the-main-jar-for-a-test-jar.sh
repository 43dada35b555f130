#!/bin/bash
# Maven: `mvn dependency:get` with the packaging test-jar fetches the main jar, and says that all is well.
#
# One expects: group:artifact:version:test-jar names the same file at a command line as <type>test-jar</type> does in a
# pom.xml. There, the type stands for the extension jar and the classifier tests (Maven's default artifact handlers).
#
# What happens: the goal takes the extension from the handler of the packaging, and never its classifier. So it resolves
# artifact-version.jar, ends with success, and writes that file to the local repository. The same holds for java-source
# and javadoc, which also differ from the main jar by their classifiers alone. With the classifier written out
# (…:jar:tests) it is the right file.
#
# Who meets it: whoever fetches a file by its coordinates in a script, with the packaging that the pom.xml has; two tools
# that read the same coordinates then have two different files, and both are verified.
#
# Versions: maven-dependency-plugin 3.8.1 and 3.9.0 under the mvn that is installed (3.8.7 when it was seen). Upstream: not
# reported, as far as we know.
#
# Needs mvn.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
artifact=org.apache.commons:commons-lang3:3.12.0

# The files of the artifact that come: fetched PLUGIN PACKAGING
fetched() {
    rm -rf repository/org/apache/commons/commons-lang3
    mvn --batch-mode --quiet "org.apache.maven.plugins:maven-dependency-plugin:$1:get" -Dartifact="$artifact:$2" \
        -Dtransitive=false -Dmaven.repo.local="$dir/repository" > mvn.log 2>&1 || { cat mvn.log && false; }
    (cd repository/org/apache/commons/commons-lang3/3.12.0 && ls -- *.jar)
}

changed=false
observe() { # PLUGIN PACKAGING EXPECTED RECORDED
    local seen
    seen=$(fetched "$1" "$2")
    printf '%-8s%-14s%-34s%s\n' "$1" "$2" "$3" "$seen"
    [ "$seen" = "$4" ] || changed=true
}

mvn --version | sed -n 1p
printf '%-8s%-14s%-34s%s\n' plugin packaging expected seen
for plugin in 3.8.1 3.9.0; do
    observe "$plugin" test-jar commons-lang3-3.12.0-tests.jar commons-lang3-3.12.0.jar
    observe "$plugin" java-source commons-lang3-3.12.0-sources.jar commons-lang3-3.12.0.jar
    # The control: the same file is there, by its classifier.
    observe "$plugin" jar:tests commons-lang3-3.12.0-tests.jar commons-lang3-3.12.0-tests.jar
done
if $changed; then echo "changed: not what was recorded"; else echo "as recorded"; fi
! $changed
