#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Shows that check.sh can fail: a made-up tree that is right, and one mistake after the other put into it.
set -eu
check=$(dirname "$0")/check.sh
tree=$(mktemp -d)
made=$(mktemp -d)
said=$(mktemp)
trap 'rm -rf "$tree" "$made" "$said"' EXIT
failures=0
licence='/* SPDX-License-Identifier: BSD-2-Clause */'

# put FILE LINE...: a file of these lines, behind the licence
put() {
    path=$tree/$1
    shift
    [ -d "${path%/*}" ] || mkdir -p "${path%/*}"
    printf '%s\n' "$licence" "$@" > "$path"
}

# Made once, since it is wanted for each mistake.
make_right() {
    put base/slice.h '#include <stddef.h>'
    put base/slice.c '#include "base/slice.h"' '#include <string.h>'
    put protocols/line.h '#include "base/slice.h"'
    put protocols/line.c '#include "protocols/line.h"' '/* no time() here, and' ' * no clock() */ int x; // sleep()' \
        'const char *said = "time(" /* " */;' 'void f(void) { daytime(); clock_time(1); a.time(); }'
    put protocols/deep/deep_status.h '#include <stdbool.h>'
    put protocols/protocol.h '#include <stdint.h>'
    put tls/endpoint/tls_endpoint.c '#include <openssl/ssl.h>' '#include "base/slice.h"'
    put tls/endpoint/tls_context.c '#include "tls/certificates/tls_store.h"' '#include "tls/tls_file.h"' \
        '#include "tls/trust/tls_trust.h"' '#include "tls/tickets/tls_ticket_set.h"'
    put config/cfg.h '#include <sys/socket.h>'
    put config/cfg.c '#include "config/cfg.h"' '#include <libconfig.h>' '#include "protocols/protocol.h"' \
        '#include "protocols/deep/deep_status.h"'
    put proxy/worker/worker.c '#include "tls/endpoint/tls_endpoint.h"' '#include "config/cfg.h"' '#include "protocols/line.h"' \
        '#include "proxy/worker/listeners.h"' '#include <uv.h>' '#include <time.h>' 'long now(void) { return time(NULL); }'
    put keys/signer.c '#include "keys/keys_wire.h"' '#include "base/slice.h"' '#include <openssl/evp.h>' '#include <pthread.h>'
    put proxy/keyclient/key_client.c '#include "keys/keys_wire.h"' '#include "keys/keys_message.h"'
    put tests/unit/helper.h 'int helper(void);'
    put tests/unit/helper.c '#include "helper.h"' '#include <openssl/ssl.h>' '#include <uv.h>' '#include "config/cfg.h"'
    put build/x.c '#include "nothing of ours"'
    printf '#!/bin/sh\n# SPDX-License-Identifier: BSD-2-Clause\n' > "$tree/tests/run.sh"
    printf '# SPDX-License-Identifier: BSD-2-Clause\n' > "$tree/CMakeLists.txt"
}

make_right
cp -R "$tree/." "$made"

right() {
    rm -rf "${tree:?}"
    cp -R "$made" "$tree"
}

# expect STATUS TEXT: what check.sh must say about the tree; TEXT is all of its output
expect() {
    status=0
    sh "$check" "$tree" > "$said" 2>&1 || status=$?
    if [ "$status" -ne "$1" ] || [ "$(cat "$said")" != "$2" ]; then
        printf 'expected %s: %s\n     got %s: %s\n' "$1" "$2" "$status" "$(cat "$said")"
        failures=$((failures + 1))
    fi
}

# mistake TEXT FILE LINE...: the tree with this file in it is refused with this text
mistake() {
    text=$1
    shift
    right
    put "$@"
    expect 1 "$text"
}

right
expect 0 ''
rm -rf "${tree:?}"/*
expect 1 'no sources found'

mistake 'base/x.c:2: base/ must not include "protocols/line.h"' base/x.c '#include "protocols/line.h"'
mistake 'protocols/x.c:2: protocols/ must not include "tls/endpoint/tls_endpoint.h"' protocols/x.c '#include "tls/endpoint/tls_endpoint.h"'
mistake 'protocols/x.c:2: protocols/ must not include "config/cfg.h"' protocols/x.c '#include "config/cfg.h"'
mistake 'protocols/x.h:2: protocols/ must not include "proxy/worker/worker.h"' protocols/x.h '#  include "proxy/worker/worker.h"'
mistake 'tls/x.c:2: tls/ must not include "protocols/line.h"' tls/x.c '#include "protocols/line.h"'
mistake 'tls/x.c:2: tls/ must not include "config/cfg.h"' tls/x.c '#include "config/cfg.h"'
mistake 'config/x.c:2: config/ must not include "protocols/line.h"' config/x.c '#include "protocols/line.h"'
mistake 'config/x.c:2: config/ must not include "protocols/protocol_private.h"' \
    config/x.c '#include "protocols/protocol_private.h"'
mistake 'config/x.c:2: config/ must not include "tls/endpoint/tls_endpoint.h"' config/x.c '#include "tls/endpoint/tls_endpoint.h"'
mistake 'config/x.c:2: config/ must not include "tests/unit/helper.h"' config/x.c '#include "tests/unit/helper.h"'
mistake 'config/x.c:2: includes "cfg.h" without its folder' config/x.c '#include "cfg.h"'
mistake 'proxy/common/x.c:2: only tls/ and keys/ include <openssl/ssl.h>' proxy/common/x.c '#include <openssl/ssl.h>'
mistake 'protocols/x.c:2: only proxy/ includes <uv.h>' protocols/x.c '#include <uv.h>'
mistake 'keys/x.c:2: keys/ must not include "tls/endpoint/tls_endpoint.h"' keys/x.c '#include "tls/endpoint/tls_endpoint.h"'
mistake 'proxy/common/x.c:2: proxy/ must not include "keys/signer.h"' proxy/common/x.c '#include "keys/signer.h"'
mistake 'tls/x.c:2: tls/ must not include "keys/keys_wire.h"' tls/x.c '#include "keys/keys_wire.h"'
mistake 'proxy/common/x.c:2: only config/ includes <libconfig.h>' proxy/common/x.c '#include <libconfig.h>'
mistake 'proxy/common/x.c:2: proxy/common must not include "proxy/worker/worker.h"' \
    proxy/common/x.c '#include "proxy/worker/worker.h"'
mistake 'proxy/worker/x.c:2: proxy/worker must not include "proxy/session/session.h"' \
    proxy/worker/x.c '#include "proxy/session/session.h"'
mistake 'proxy/backends/x.h:2: proxy/backends must not include "proxy/runtime/snapshot.h"' \
    proxy/backends/x.h '#include "proxy/runtime/snapshot.h"'
mistake 'protocols/x.c:2: protocols/. must not include "protocols/imap/imap_engine.h"' \
    protocols/x.c '#include "protocols/imap/imap_engine.h"'
mistake 'protocols/pop3/x.c:2: protocols/pop3 must not include "protocols/smtp/smtp_ehlo.h"' \
    protocols/pop3/x.c '#include "protocols/smtp/smtp_ehlo.h"'
mistake 'tls/x.h:2: tls/. must not include "tls/endpoint/tls_endpoint.h"' \
    tls/x.h '#include "tls/endpoint/tls_endpoint.h"'
mistake 'tls/certificates/x.c:2: tls/certificates must not include "tls/endpoint/tls_endpoint.h"' \
    tls/certificates/x.c '#include "tls/endpoint/tls_endpoint.h"'
mistake 'tls/trust/x.c:2: tls/trust must not include "tls/certificates/tls_store.h"' \
    tls/trust/x.c '#include "tls/certificates/tls_store.h"'
mistake 'tls/tickets/x.c:2: tls/tickets must not include "tls/trust/tls_trust.h"' \
    tls/tickets/x.c '#include "tls/trust/tls_trust.h"'
mistake 'tls/attic/x.c:2: tls/attic is no room: add it to the table of tests/layering/check.sh' \
    tls/attic/x.c '#include "tls/tls_file.h"'
mistake 'proxy/attic/x.c:2: proxy/attic is no room: add it to the table of tests/layering/check.sh' \
    proxy/attic/x.c '#include "proxy/common/log.h"'
mistake 'config/x.c:2: only proxy/ includes <http_parser.h>' config/x.c '#include <http_parser.h>'
mistake 'config/x.c:2: only proxy/ includes <jansson.h>' config/x.c '#include <jansson.h>'
for header in sys/socket netinet/in netinet/tcp netdb poll pthread time sys/time signal; do
    mistake "tls/x.c:2: only proxy/ touches sockets, clocks and threads: <$header.h>" tls/x.c "#include <$header.h>"
done
mistake 'config/cfg_tls.c:2: only proxy/ touches sockets, clocks and threads: <sys/socket.h>' \
    config/cfg_tls.c '#include <sys/socket.h>'
mistake 'protocols/x.c:3: only proxy/ reads a clock' protocols/x.c '#include <unistd.h>' 'int f(void) { return sleep(1); }'
mistake 'protocols/x.c:4: only proxy/ reads a clock' protocols/x.c '/* about' '   time */' 'long t = time(0);'
mistake 'base/slice.c:2: includes "string.h" before its own header' \
    base/slice.c '#include <string.h>' '#include "base/slice.h"'
mistake 'tests/unit/helper.c:2: includes "stdio.h" before its own header' \
    tests/unit/helper.c '#include <stdio.h>' '#include "helper.h"'

for file in base/y.c base/y.h tests/y.py tests/y.sh cmake/y.cmake tests/CMakeLists.txt; do
    right
    mkdir -p "$tree/cmake"
    printf '\n\n%s\n' "$licence" > "$tree/$file"
    expect 1 "$file:1: no SPDX-License-Identifier in the first two lines"
done

right
put protocols/x.c '#include "tls/endpoint/tls_endpoint.h"' '#include <time.h>'
expect 1 'protocols/x.c:2: protocols/ must not include "tls/endpoint/tls_endpoint.h"
protocols/x.c:3: only proxy/ touches sockets, clocks and threads: <time.h>'

[ "$failures" -eq 0 ]
