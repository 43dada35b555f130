# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# Kubernetes' own storage suite: exactly the tests of external.txt run, and each passes. Its output and its report stay
# beside the cluster, in $suite_log.

suite_list=$e2e/external.txt
suite_log=$state/external

case_kubernetes_own_storage_suite_passes() {
    local programs images ended=0
    "$e2e/offline/binaries.sh" storage
    programs=$("$e2e/offline/binaries.sh" --where storage)
    images=$(suite_images "$programs")
    xargs "$e2e/cluster.sh" make <<< "$images"
    echo "the suite never looks into it" > "$scratch/sample.war"
    origin "sample.war=$scratch/sample.war"
    rm -rf "$suite_log"
    mkdir -p "$suite_log"
    run_suite "$programs" || ended=$?
    [ -s "$suite_log/report.json" ] || {
        tail -n 20 "$suite_log/output" >&2
        fail "the suite left no report; what it said is in $suite_log/output"
    }
    suite_failures
    suite_is_as_listed
    [ "$ended" = 0 ] || fail "the suite ended with $ended; see $suite_log/output"
}

# Those that these tests run, as the suite names them.
suite_images() { # DIRECTORY
    local image
    for image in agnhost:2.66.1 busybox:1.37.0-2 glibc-dns-testing:2.1.1 nginx:1.27.0-2; do
        "$1/storage.test" -list-images | grep -x "registry.k8s.io/e2e-test-images/$image" ||
            fail "the suite does not know the image $image; see storage.test -list-images for what it is now"
    done
}

# Ctrl-C ends it too, and it removes what it made. Its tests mostly wait, so that more of them run at a time than there
# are processors; with this seed those that take longest do not begin last.
run_suite() { # DIRECTORY
    local options=(-focus=External.Storage -procs=8 -seed=44 -timeout=40m -no-color -json-report=report.json)
    local words suite
    while read -r words; do options+=("-skip=\\Q$words\\E"); done < <(excluded)
    touch "$suite_log/progress"
    PROGRESS=$suite_log/progress "$1/ginkgo" "${options[@]}" -output-dir="$suite_log" \
        "$1/storage.test" -- -kubeconfig="$KUBECONFIG" -repo-root="$e2e/external" \
        -storage.testdriver="$e2e/external/driver.yaml" > "$suite_log/output" 2>&1 &
    suite=$!
    tail -n +1 -f -s 0.5 --pid=$suite "$suite_log/progress" 2> /dev/null | while read -r words; do
        say "$(short_names <<< "$words")"
    done
    wait $suite
}

short_names() { sed 's/External Storage \[Driver: [^]]*\] \[Testpattern: \(.*\)$/[\1/'; }

listed() { sed -n '/^[^#-]/p' "$suite_list" | LC_ALL=C sort; }
excluded() { sed -n 's/^- //p' "$suite_list"; }

# Tests of its report that CONDITION is true of.
reported() {
    jq -r ".[].SpecReports[] | select(.LeafNodeType == \"It\" and ($1)) | .ContainerHierarchyTexts + [.LeafNodeText] |
        join(\" \")" "$suite_log/report.json" | short_names | LC_ALL=C sort
}

# How each failed test fails, where, and what happened to its objects; the rest is in the output.
suite_failures() {
    jq -r 'def lines: (. // "") | split("\n");
        .[].SpecReports[] | select(.State | IN("passed", "skipped", "pending") | not) |
        "\n== \(.State): \(.ContainerHierarchyTexts // [] | join(" ")) \(.LeafNodeText)",
        (.Failure.Message | lines | .[:12][]),
        "\(.Failure.Location.FileName // "" | sub(".*/kubernetes@"; "")):\(.Failure.Location.LineNumber)",
        (.CapturedGinkgoWriterOutput | lines | map(select(test("event for"))) | .[-15:][])' \
        "$suite_log/report.json" | cut -c1-600 >&2
}

suite_is_as_listed() {
    local ran passed wrong
    ran=$(reported '.State != "skipped"')
    passed=$(reported '.State == "passed"')
    wrong=$(
        comm -23 <(listed) <(echo "$passed") | sed 's/^/listed, and did not pass: /'
        comm -13 <(listed) <(echo "$ran") | sed 's/^/ran, and is not listed: /'
        reported true > "$suite_log/tests"
        while read -r words; do
            grep -qF -- "$words" "$suite_log/tests" || echo "excluded, and no test has it in its name: $words"
        done < <(excluded)
    )
    [ -z "$wrong" ] || {
        echo "$wrong" >&2
        fail "that is not what $suite_list says; see $suite_log/output"
    }
    say "$(wc -l <<< "$passed") tests of the suite passed: those that are listed, and no other ran"
}

case_the_suite_leaves_no_volume() {
    until_true 60 no_volume_of_the_suite || fail "the suite is over, and there are still: $(volumes_of_the_suite)"
    ! knows_node || must_leave_nothing
}
volumes_of_the_suite() {
    kubectl get persistentvolumes -o jsonpath='{.items[?(@.spec.csi.driver=="war-vol.geektime.org")].metadata.name}'
}
no_volume_of_the_suite() { [ -z "$(volumes_of_the_suite)" ]; }
