#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Dovecot and Postfix, both in the foreground; the one that ends first ends the container.
# PROXIES: the networks whose PROXY headers Dovecot believes.
set -eu
printf 'haproxy_trusted_networks = %s\n' "${PROXIES:?the networks of the proxies}" >/run/proxies.conf

dovecot -F &
dovecot=$!
postfix start-fg &
postfix=$!

# shellcheck disable=SC2317  # by the trap
stop() {
    kill "$dovecot" "$postfix" 2>/dev/null || :
    wait
    exit 0
}
trap stop TERM INT

while kill -0 "$dovecot" 2>/dev/null && kill -0 "$postfix" 2>/dev/null; do
    sleep 2 &
    wait $!
done
kill "$dovecot" "$postfix" 2>/dev/null || :
echo 'legacy: one of the two servers has ended' >&2
exit 1
