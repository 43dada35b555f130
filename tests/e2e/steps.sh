# shellcheck shell=bash disable=SC2154 # settings.sh says what is not said here
# Sourced by settings.sh: a long way in steps, a line each, for whoever waits:
#
#   [ 3/17] building kube-apiserver 1.37.2                               212 s
#
# What a step's commands say goes to a file, and with it the seconds and the processor time that each has taken; where a
# step fails, the last lines of that file are shown, and where it is. A step within a step is part of it.
#
# The scripts that one calls count with it: they share $steps, a directory named after the outermost one.

steps=${WAR_VOL_STEPS-}

steps_begin() {
    [ -z "$steps" ] || return 0
    steps=$kept/log/${WAR_VOL_NAME:+$WAR_VOL_NAME-}$(basename "$0" .sh)
    export WAR_VOL_STEPS=$steps
    mkdir -p "$steps"
    rm -f "$steps"/times*
    : > "$steps/log"
    : > "$steps/done" # a line for each step: processor time, time, words
    echo 0 > "$steps/all"
}

# So many steps are left in this script, as far as it knows; those that come after it are in $WAR_VOL_STEPS_AFTER.
steps_left() { # NUMBER
    [ -z "${WAR_VOL_STEP-}" ] || return 0
    steps_begin
    echo $(($(wc -l < "$steps/done") + $1 + ${WAR_VOL_STEPS_AFTER:-0})) > "$steps/all"
}

# A word between the lines of the steps.
note() {
    if [ -n "${WAR_VOL_STEP-}" ]; then say "$*"; else printf '        %s\n' "$*" >&2; fi
}

# A function may be a step, too, but what it says to variables is lost. What it only waited for may leave its `times` in
# $steps/times.NAME.
step() { # WORDS COMMAND…
    local words=$1 number all began=$SECONDS status processor
    shift
    if [ -n "${WAR_VOL_STEP-}" ]; then
        say "$words"
        "$@"
        return
    fi
    steps_begin
    number=$(($(wc -l < "$steps/done") + 1))
    all=$(cat "$steps/all")
    printf '[%2d/%2d] %-60s' "$number" "$((number > all ? number : all))" "$words" >&2
    printf '\n== %s\n' "$words" >> "$steps/log"
    # Not as part of a condition, where a command that fails would not end it.
    set +e
    (
        set -e
        export WAR_VOL_STEP=$words
        trap 'times > "$steps/times"' EXIT
        "$@"
    ) >> "$steps/log" 2>&1
    status=$?
    set -e
    processor=$(cat "$steps"/times* | processor_time)
    rm -f "$steps"/times*
    printf '%s\t%d\t%s\n' "$processor" $((SECONDS - began)) "$words" >> "$steps/done"
    printf -- '-- %d s, %s s of CPU time\n' $((SECONDS - began)) "$processor" >> "$steps/log"
    printf ' %4d s\n' $((SECONDS - began)) >&2
    [ $status = 0 ] || step_failed
}

step_failed() {
    printf '\nThis step failed. The last lines of %s:\n\n' "$steps/log" >&2
    sed '$d' "$steps/log" | tail -n 20 | sed 's/^/  /' >&2
    exit 1
}

# What `times` says (of the shell and of its children, 1m2.345s each), as seconds.
processor_time() { tr 'ms \n' '  \n\n' | awk 'NF == 2 { sum += $1 * 60 + $2 } END { printf "%.1f", sum }'; }

# What all of them took: processor time is what the steps' own commands had, without the Docker daemon's.
steps_took() {
    awk -F'\t' -v seconds=$(($(date +%s) - WAR_VOL_STARTED)) '{ sum += $1 } END {
        printf "%d steps in %d min %d s, using %d min %d s of CPU time\n",
            NR, seconds / 60, seconds % 60, sum / 60, sum % 60
    }' "$steps/done"
}
