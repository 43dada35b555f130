#!/bin/bash
# tests/e2e/offline/libraries.sh FROM TO FILE…: copies the shared libraries that FILEs of the root file system FROM
# need to the root file system TO, each to the path where the loader of FROM finds it.
set -euo pipefail
from=$1 to=$2
shift 2

# ldd fails for what is linked statically; what it does not find, nobody here can copy.
chroot "$from" ldd "$@" 2> /dev/null |
    awk '$2 == "=>" && $3 ~ "^/" { print $3 } NF == 2 && $1 ~ "^/" { print $1 }' | sort -u |
    while read -r library; do
        [[ $library != "$to"/* ]] || continue # it is there already: TO lies in FROM
        (cd "$from" && cp -L --parents ".$library" "$to/")
    done
