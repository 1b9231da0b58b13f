/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_CERTIFICATE_EXPIRY_H
#define DEEPPROXY_PROXY_RUNTIME_CERTIFICATE_EXPIRY_H

#include "proxy/common/log.h"
#include "proxy/backends/pool_tls.h"

enum {
    /* Authorities of short certificates renew at a third of ninety days: who is later than that has a problem. */
    CERTIFICATE_EXPIRY_WARNING_DAYS = 21
};

/* What becomes of a certificate; the time is seconds since 1970. */
enum expiry {
    CERTIFICATE_EXPIRY_FAR,
    CERTIFICATE_EXPIRY_NEAR,
    CERTIFICATE_EXPIRY_PAST,
    CERTIFICATE_EXPIRY_STATES
};
enum expiry certificate_expiry_of(int64_t ends, int64_t now);

/*
 * A line for each certificate that is near its end, or over it: clients', and those that pools' servers are shown. `now` in
 * seconds since 1970. From the main thread.
 */
void certificate_expiry_log(const struct tls_context *tls, const struct pool_tls_set *pools, int64_t now,
                            struct log *log);

#endif
