/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_CERTIFICATE_EXPIRY_H
#define DEEPPROXY_PROXY_RUNTIME_CERTIFICATE_EXPIRY_H

#include "proxy/backends/pool_tls.h"
#include "proxy/common/log.h"

/*
 * Tells which certificates expire soon or have expired, for metrics and the log. It never refuses one for
 * that.
 */
enum {
    /*
     * Short-lived certificates of 90 days are renewed when 30 are left: 21 mean that the renewal has failed.
     */
    CERTIFICATE_EXPIRY_WARNING_DAYS = 21
};

enum expiry {
    CERTIFICATE_EXPIRY_FAR,
    CERTIFICATE_EXPIRY_NEAR, /* within CERTIFICATE_EXPIRY_WARNING_DAYS */
    CERTIFICATE_EXPIRY_PAST,
    CERTIFICATE_EXPIRY_STATES
};

/* Both in seconds since 1970. */
enum expiry certificate_expiry_of(int64_t ends, int64_t now);

/*
 * Logs each certificate that expires soon (event=certificate-expires) or has expired
 * (event=certificate-expired): those that clients are shown, and those that servers are shown. `now` in
 * seconds since 1970. From the main thread.
 */
void certificate_expiry_log(const struct tls_context *tls, const struct pool_tls_set *pools, int64_t now,
                            struct log *log);

#endif
