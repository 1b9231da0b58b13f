/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_REPORTS_H
#define DEEPPROXY_PROXY_RUNTIME_REPORTS_H

#include "protocols/deep/deep_status.h"
#include "protocols/engine.h"
#include "proxy/common/log.h"

#include <stdatomic.h>

/*
 * How many sessions of a service have reported which security tag, and how (draft section 7: "to determine which and
 * how many clients have latched"). The tags are the registered ones, those that the service advertises, and "other",
 * where all else is counted that clients make up: what they send must not make this grow. Counted at a session's end
 * from any thread, without a lock.
 */
enum reports_kind { REPORTS_LATCH, REPORTS_LATCH_FAIL, REPORTS_SECURITY_TAGS, REPORTS_KINDS };

/* The registered ones, those of a status of one-letter tags, "other", and room for what later statuses add. */
enum { REPORTS_TAGS_MAX = 2 * (DEEP_REGISTERED_TAGS + (DEEP_STATUS_MAX + 1) / 2 + 1) };

/* As the log calls it, static. */
const char *reports_kind_name(enum reports_kind kind);

struct reports_tag {
    char *name;
    _Atomic uint64_t counts[REPORTS_KINDS];
};

struct reports {
    atomic_uint references;
    _Atomic uint64_t sessions; /* with a TLS handshake, ended */
    _Atomic size_t tag_count;
    struct reports_tag tags[REPORTS_TAGS_MAX]; /* "other" is the first */
};

/* `deep_status`: the service's. NULL where memory is short. One reference is the caller's. */
struct reports *reports_new(const char *deep_status);
struct reports *reports_ref(struct reports *reports);
void reports_unref(struct reports **reports);

/*
 * The service has another status from now on: its tags are counted too, and those before still are. From one thread at a
 * time, while others count. False where memory is short.
 */
bool reports_add_status(struct reports *reports, const char *deep_status);

/* A session has ended. A tag counts once for each kind, however often the client has named it. */
void reports_count(struct reports *reports, const struct engine *engine);

/* A line for the service, and one for each tag that has been reported. From the main thread. */
void reports_log(const struct reports *reports, const char *service, struct log *log);

#endif
