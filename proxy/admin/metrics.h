/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_METRICS_H
#define DEEPPROXY_PROXY_ADMIN_METRICS_H

#include "proxy/admin/metrics_text.h"
#include "proxy/runtime/runtime.h"

/*
 * The metrics of the program, in the format of Prometheus. It reads what the caller shows, and changes
 * nothing; it knows neither HTTP nor an event loop. It belongs to the main thread. To add a counter of
 * clients: counters.h.
 */

/* How the configuration, or the certificates, were last read. */
struct metrics_reload {
    /* Was the last one refused, in whole or in part? */
    bool failed;
    /* What is in effect is so since then, in seconds since 1970. */
    int64_t since;
};

struct metrics_state {
    struct runtime runtime; /* the references stay the owner's */
    int64_t now;            /* seconds since 1970 */
    unsigned workers;
    unsigned hung_workers;
    struct metrics_reload configuration;
    struct metrics_reload certificates;
    size_t stale_certificates; /* when they were last read */
    bool has_key_process;
    bool key_process_is_up; /* it signs */
    bool key_process_loads; /* and keys are being loaded again */
    unsigned key_process_restarts;
};

/*
 * The metrics of each certificate that clients or servers are shown. There may be tens of thousands, and they
 * change only with the certificates, so they are written once and shared by all answers. Counted by
 * reference.
 */
struct metrics_certificates;

/*
 * Writes them. NULL if memory is short. One reference is the caller's; context and pools are needed during
 * the call alone.
 */
struct metrics_certificates *metrics_certificates_new(const struct tls_context *tls,
                                                      const struct pool_tls_set *pools);

/* Adds a reference, and returns its argument. */
struct metrics_certificates *metrics_certificates_ref(struct metrics_certificates *certificates);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void metrics_certificates_unref(struct metrics_certificates **certificates);

/* The text, valid as long as the reference. */
struct slice metrics_certificates_text(const struct metrics_certificates *certificates);

/*
 * Writes all other metrics but those of pools (metrics_pools.h), and how many of these certificates expire
 * soon. Sets text->failed if it can't.
 */
void metrics_write(struct metrics_text *text, const struct metrics_state *state,
                   const struct metrics_certificates *certificates);

#endif
