#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# debian.sh SUITE TARGET [MMDEBSTRAP-OPTION...]: a small Debian, bookworm (12) or trixie (13), as a tar file or a folder, from
# this machine's own package sources, for the other suite if it is another one. As the images that Debian publishes: without
# most of /usr/share/doc, manual pages and translations.
set -eu

command -v mmdebstrap >/dev/null || { echo 'mmdebstrap is not installed'; exit 1; }
suite=$1 target=$2
shift 2
sources=
own=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
renamed=$(mktemp -d)
trap 'rm -rf "$renamed"' EXIT
for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [ -s $file ] || continue
    sed "s/\\b${own:-bookworm}\\b/$suite/g" $file >"$renamed/${file##*/}"
    sources="$sources $renamed/${file##*/}"
done
# shellcheck disable=SC2086
mmdebstrap -q --variant=minbase \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$@" "$suite" "$target" $sources
