/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_EXPIRY_H
#define DEEPPROXY_PROXY_EXPIRY_H

#include "proxy/log.h"
#include "proxy/pool_tls.h"

enum {
    /* Authorities of short certificates renew at a third of ninety days: who is later than that has a problem. */
    EXPIRY_WARNING_DAYS = 21
};

/* What becomes of a certificate; the time is seconds since 1970. */
enum expiry { EXPIRY_FAR, EXPIRY_NEAR, EXPIRY_PAST, EXPIRY_STATES };
enum expiry expiry_of(int64_t ends, int64_t now);

/*
 * A line for each certificate that is near its end, or over it: clients', and those that pools' servers are shown. `now` in
 * seconds since 1970. From the main thread.
 */
void expiry_log(const struct tls_context *tls, const struct pool_tls_set *pools, int64_t now,
                struct log *log);

#endif
