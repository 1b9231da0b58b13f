#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# debian.sh TARGET [MMDEBSTRAP-OPTION...]: a small Debian 12 as a tar file or a folder, from this machine's own package
# sources. As the images that Debian publishes: without most of /usr/share/doc, manual pages and translations.
set -eu

command -v mmdebstrap >/dev/null || { echo 'mmdebstrap is not installed'; exit 1; }
target=$1
shift
sources=
for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [ ! -s $file ] || sources="$sources $file"
done
# shellcheck disable=SC2086
exec mmdebstrap -q --variant=minbase \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$@" bookworm "$target" $sources
