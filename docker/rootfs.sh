#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# rootfs.sh DIR: in the build stage, makes the whole content of the image below DIR: the installed programs, the
# libraries that they are linked with, the files that glibc's resolver looks for, and everybody's licence. The modules for
# /etc/hosts and DNS are inside glibc since 2.34: no libnss_*.so is needed.
set -eu

root=$1
programs='/usr/sbin/deepproxy /usr/libexec/deepproxy/deepproxy-keys'

mkdir -p "$root/etc/deepproxy/tls" "$root/usr/share/doc"
# shellcheck disable=SC2086
cp --parents $programs "$root"
cp docker/deepproxy.conf "$root/etc/deepproxy/"
printf 'deepproxy:x:10001:10001::/nonexistent:/usr/sbin/nologin\n' >"$root/etc/passwd"
printf 'deepproxy:x:10001:\n' >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"

# shellcheck disable=SC2086
linked=$(ldd $programs)
case $linked in *'not found'*) printf '%s\n' "$linked" >&2; exit 1 ;; esac
libraries=$(printf '%s\n' "$linked" | grep -v ':$' | grep -o '/[^ ]*' | sort -u)
for library in $libraries; do
    cp -L --parents "$library" "$root"
    # dpkg knows a file by one of the two names that it has on a merged /usr.
    package=$(dpkg -S "*/${library##*/}" | sed -n '1s/:.*//p')
    mkdir -p "$root/usr/share/doc/$package"
    cp "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/"
done
# Whose word is taken for servers behind that speak TLS, unless the configuration says.
cp -L --parents /etc/ssl/certs/ca-certificates.crt "$root"
mkdir "$root/usr/share/doc/ca-certificates"
cp /usr/share/doc/ca-certificates/copyright "$root/usr/share/doc/ca-certificates/"
mkdir "$root/usr/share/doc/deepproxy"
cp LICENSE "$root/usr/share/doc/deepproxy/copyright"
cp config/deepproxy.conf.sample config/deepproxy.alerts.yml "$root/usr/share/doc/deepproxy/"
