# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# A download that takes three minutes, where kubelet gives a call two.

case_a_download_longer_than_a_call_is_one_download() {
    head -c 19M /dev/urandom > "$scratch/model.bin"
    moody "model.bin=$scratch/model.bin"
    behave model.bin 'seconds 180'
    sleeper slow "$(moody_url model.bin)"
    until_true 180 event_says "downloading $(moody_url model.bin): [0-9.]* MiB of 19.0 MiB ([0-9]* percent), .*; continuing in the background" slow ||
        explain "no event says how far the download is"
    is_ready slow 240
    has slow model.bin "$scratch/model.bin"
    [ "$(asked model.bin)" = 1 ] || fail "it was downloaded $(asked model.bin) times"
}
