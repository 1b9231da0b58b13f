#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make-certificate.sh [DIR [NAME...]]: a certificate for the demonstration, and the CA that clients are to trust for it.
# NAME is a host name or an IPv4 address; without any: localhost, 127.0.0.1 and 127.0.0.2.
#   DIR/ca.pem            for clients
#   DIR/tls/chain.pem     for the proxy: DIR/tls is what containers get to see, as /etc/deepproxy/tls
#   DIR/tls/key.pem
# The proxy in the container runs as a user that this machine does not know, so the key must be readable by all;
# DIR itself is closed to everybody else instead, and a container's mount of DIR/tls does not pass through it.
set -eu

dir=${1-$(dirname "$0")/certificate}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- localhost 127.0.0.1 127.0.0.2

names=
for name in "$@"; do
    case $name in
    *[!0-9.]*) names="$names,DNS:$name" ;;
    *) names="$names,IP:$name" ;;
    esac
done

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

command -v openssl >/dev/null || { echo 'make-certificate.sh: openssl is not installed' >&2; exit 1; }
umask 077
mkdir -p "$dir/tls"
chmod 755 "$dir/tls"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The CA's key ends with this run: nobody can make another certificate that these clients would trust.
new_key "$work/ca.key"
openssl req -x509 -new -key "$work/ca.key" -subj '/CN=deepproxy demonstration CA' -days 365 \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out "$dir/ca.pem"
new_key "$dir/tls/key.pem"
openssl req -new -key "$dir/tls/key.pem" -subj "/CN=$1" -out "$work/leaf.csr"
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\nbasicConstraints=CA:FALSE\n' \
    "${names#,}" >"$work/extensions"
openssl x509 -req -in "$work/leaf.csr" -CA "$dir/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 365 \
    -extfile "$work/extensions" -out "$dir/tls/chain.pem" 2>/dev/null
chmod 644 "$dir/ca.pem" "$dir/tls/chain.pem" "$dir/tls/key.pem"
echo "$dir: ca.pem for clients, tls/ for the proxy; valid for $*"
