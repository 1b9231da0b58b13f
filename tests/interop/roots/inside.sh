#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# inside.sh ROOT PLACE SERVE: in mount and process namespaces of its own, makes ROOT the whole world, and runs the
# script SERVE there as process 1: when that ends, everything does. Nothing is written into ROOT: a layer in memory has
# what changes. Of PLACE the server sees dev (with the socket of the log) and mail, at /dev and /mail.
set -eu
root=$1 place=$2 serve=$3
world=$place/world

mkdir "$place/layer" "$world"
mount -t tmpfs -o mode=755 layer "$place/layer"
mkdir "$place/layer/upper" "$place/layer/work"
mount -t overlay -o "lowerdir=$root,upperdir=$place/layer/upper,workdir=$place/layer/work" world "$world"
mkdir -p "$world/mail"
mount --bind "$place/mail" "$world/mail"
mount --bind "$place/dev" "$world/dev"
for device in null zero random urandom; do
    : >"$world/dev/$device"
    mount --bind "/dev/$device" "$world/dev/$device"
done
ln -s /proc/self/fd "$world/dev/fd"
mount -t proc proc "$world/proc"
printf '127.0.0.1 localhost\n' >"$world/etc/hosts"
: >"$world/etc/resolv.conf"
cp "$serve" "$world/serve"
cd /
exec chroot "$world" /bin/sh /serve
