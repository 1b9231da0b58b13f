/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_METRICS_H
#define DEEPPROXY_PROXY_ADMIN_METRICS_H

#include "proxy/admin/metrics_text.h"
#include "proxy/runtime/snapshot.h"

/*
 * What there is to measure, as Prometheus reads it. It only reads what is shown to it, knows neither HTTP nor an event
 * loop, and belongs to the main thread.
 */

/* Of the configuration, or of the certificates. */
struct metrics_reload {
    bool failed;   /* the last one */
    int64_t since; /* seconds since 1970: what is in effect was taken up */
};

struct metrics_state {
    const struct snapshot *snapshot;
    const struct tls_context *tls;
    const struct pool_tls_set *pools;
    int64_t now; /* seconds since 1970 */
    unsigned workers;
    struct metrics_reload configuration;
    struct metrics_reload certificates;
    size_t stale_certificates; /* when they were last read */
    bool has_key_process;
    bool key_process_is_up;
    unsigned key_process_restarts;
};

/*
 * What is told of the certificates that clients and pools' servers are shown. It only changes with them: it is written once, as there may be ten thousands, and
 * shared by all answers. Counted by reference.
 */
struct metrics_certificates;

/* NULL where memory is short. One reference is the caller's; context and pools are not needed any more. */
struct metrics_certificates *metrics_certificates_new(const struct tls_context *tls,
                                                      const struct pool_tls_set *pools);
struct metrics_certificates *metrics_certificates_ref(struct metrics_certificates *certificates);
void metrics_certificates_unref(struct metrics_certificates **certificates);

/* Valid as long as the reference. */
struct slice metrics_certificates_text(const struct metrics_certificates *certificates);

/* All else, and how many of these certificates are near their end. text->failed where it failed. */
void metrics_write(struct metrics_text *text, const struct metrics_state *state,
                   const struct metrics_certificates *certificates);

#endif
