/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/common/refusal.h"

#include "base/array.h"

#include <stddef.h>

static const char *const names[] = {
    [REFUSAL_DENIED] = "denied",
    [REFUSAL_CONNECTION_RATE] = "connection-rate",
    [REFUSAL_PROXY_UNTRUSTED] = "proxy-untrusted",
    [REFUSAL_PROXY_MISSING] = "proxy-missing",
    [REFUSAL_PROXY_MALFORMED] = "proxy-malformed",
    [REFUSAL_PROXY_INCOMPLETE] = "proxy-incomplete",
};
_Static_assert(ARRAY_LEN(names) == REFUSALS, "a word for each");

const char *refusal_name(enum refusal refusal)
{
    return names[refusal];
}

const char *refusal_cause(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_PROXY_UNTRUSTED:
        return "the address is in no network of proxy_protocol.from: a balancer that is missing there, or "
               "somebody who came past the balancers";
    case REFUSAL_PROXY_MISSING:
        return "the balancer sends no PROXY header (HAProxy: send-proxy-v2, and check-send-proxy for its "
               "checks; nginx: proxy_protocol on), or sends it within TLS";
    case REFUSAL_DENIED:
    case REFUSAL_CONNECTION_RATE:
    case REFUSAL_PROXY_MALFORMED:
    case REFUSAL_PROXY_INCOMPLETE:
    case REFUSALS:
        break;
    }
    return NULL;
}
