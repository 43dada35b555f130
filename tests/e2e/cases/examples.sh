# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# The examples of deploy/examples, as they stand but for the origin's address and the checksum, which nobody can know
# before. Others are applied by the cases of what they are about.

case_the_api_server_takes_every_example_as_it_is_written() {
    since 1.30 || return 0 # ValidatingAdmissionPolicy
    local files
    # What is OpenKruise's is known where that is installed: full/cloneset.sh.
    mapfile -t files < <(grep --recursive --files-without-match kruise.io "$top/deploy/examples")
    in_space apply --dry-run=server --validate=strict "${files[@]/#/--filename=}" > /dev/null ||
        fail "an example is refused; see above"
}

case_tomcat_serves_a_read_only_war_that_a_context_names() {
    local token digest
    sample_is_served
    digest=$(sha256sum < "$scratch/sample.war" | cut -d' ' -f1)
    example tomcat-docbase.yaml "$digest" | in_space apply -f - > /dev/null
    is_ready sample-docbase
    says sample-docbase "" "$token"
    ! in_space exec sample-docbase -- touch /artifacts/sample.war 2> /dev/null || fail "the volume can be written"
}

case_tomcat_runs_in_a_user_namespace() {
    local token
    since 1.33 || return 0 # before that, a feature gate
    sample_is_served
    example user-namespace.yaml | in_space apply -f - > /dev/null
    is_ready sample-user-namespace
    says sample-user-namespace sample/ "$token"
    is_in_user_namespace sample-user-namespace
}

case_a_server_reads_its_model() {
    local digest
    head -c 5000000 /dev/urandom > "$scratch/model"
    digest=$(sha256sum < "$scratch/model" | cut -d' ' -f1)
    origin "model-q4.bin=$scratch/model"
    example model-file.yaml "$digest" | in_space apply -f - > /dev/null
    is_ready model
    page model model.bin | cmp - "$scratch/model" || fail "the server gives another file"
}

# Whoever leaves it as it is written is told by the pod's events.
case_a_checksum_that_was_not_filled_in_is_named_in_the_event() {
    example model-file.yaml | sed 's#name: model$#name: unfilled#' | in_space apply -f - > /dev/null
    until_true 60 event_says 'the attribute checksum: "sha256:<the 64 hex' unfilled ||
        explain "no event says that the checksum is none"
}
