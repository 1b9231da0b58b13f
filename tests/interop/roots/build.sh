#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# build.sh SERVER DIRECTORY: makes DIRECTORY/SERVER, a Debian root with the server's packages in it and what its
# prepare script leaves there. A root that was made by the same recipe stays. As root. The log is DIRECTORY/SERVER.log.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
debian=$here/../../../docker/debian.sh
server=$1 directory=$2
recipe=$here/$server
root=$directory/$server
# Debian 12 if the recipe says nothing.
suite=bookworm
[ ! -e "$recipe/suite" ] || suite=$(cat "$recipe/suite")

stamp=$(printf '%s\n' "$suite" | cat - "$0" "$debian" "$recipe/packages" "$recipe/prepare" | sha256sum)
if [ -d "$root" ] && [ "$(cat "$root.stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi
[ "$(id -u)" -eq 0 ] || { echo "a root for $server is made by root alone"; exit 1; }

mkdir -p "$directory"
rm -rf --one-file-system "$root" "$root.stamp"
packages=$(sed '/^#/d' "$recipe/packages" | tr '\n' ',')
# $1 is the new root, to the shell of the hook.
# shellcheck disable=SC2016
"$debian" "$suite" "$root" --include="${packages%,}" --customize-hook="copy-in $recipe/prepare /" \
    --customize-hook='chroot "$1" sh /prepare' --customize-hook='rm "$1/prepare"' >"$root.log" 2>&1 || {
    tail -n 20 "$root.log" >&2
    rm -rf --one-file-system "$root"
    exit 1
}
printf '%s\n' "$stamp" >"$root.stamp"
