#!/bin/bash
# tests/e2e/offline/archive.sh NAME DIRECTORY [CONFIG]: an image of one layer, the directory, as an archive on stdout
# that `docker load` and `ctr images import` take. CONFIG is the image's configuration, such as '{"Cmd": ["sh"]}'.
set -euo pipefail
name=$1 directory=$2 config=${3-}
config=${config:-'{}'}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -C "$directory" --numeric-owner --sort=name -cf "$work/layer.tar" .
digest=$(sha256sum < "$work/layer.tar" | cut -d' ' -f1)
jq -n --arg digest "sha256:$digest" --arg architecture "$(dpkg --print-architecture)" --argjson config "$config" '{
    os: "linux", $architecture, rootfs: {type: "layers", diff_ids: [$digest]},
    config: ({Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]} + $config)
}' > "$work/config.json"
jq -n --arg name "$name" '[{Config: "config.json", RepoTags: [$name], Layers: ["layer.tar"]}]' > "$work/manifest.json"
tar -C "$work" -cf - manifest.json config.json layer.tar
