#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# system.sh ROOT SOURCES BUILD SERVE: in mount and process namespaces of its own, makes ROOT the whole world, with SOURCES at
# /src (nothing is written there) and BUILD at /build, and runs the script SERVE there as process 1. A layer in memory has
# what changes in ROOT. The network is the machine's.
set -eu
root=$1 sources=$2 build=$3 serve=$4
world=$build.world

mkdir -p "$build" "$world"
mount -t tmpfs -o mode=755 layer "$world"
mkdir "$world/upper" "$world/work" "$world/root"
mount -t overlay -o "lowerdir=$root,upperdir=$world/upper,workdir=$world/work" world "$world/root"
world=$world/root
mkdir -p "$world/src" "$world/build"
mount --bind "$sources" "$world/src"
mount -o remount,ro,bind "$world/src"
mount --bind "$build" "$world/build"
mount --rbind /dev "$world/dev"
mount -t proc proc "$world/proc"
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$(uname -n)" >"$world/etc/hosts"
cp "$serve" "$world/serve"
cd /
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 chroot "$world" /bin/sh /serve
