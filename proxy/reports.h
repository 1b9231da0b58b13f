/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_REPORTS_H
#define DEEPPROXY_PROXY_REPORTS_H

#include "protocols/engine.h"
#include "proxy/log.h"

#include <stdatomic.h>

/*
 * How many sessions of a service have reported which security tag, and how (draft section 7: "to determine which and
 * how many clients have latched"). The tags are the registered ones, those that the service advertises, and "other",
 * where all else is counted that clients make up: what they send must not make this grow. Counted at a session's end
 * from any thread, without a lock.
 */
enum reports_kind { REPORTS_LATCH, REPORTS_LATCH_FAIL, REPORTS_SECURITY_TAGS, REPORTS_KINDS };

struct reports_tag {
    char *name;
    _Atomic uint64_t counts[REPORTS_KINDS];
};

struct reports {
    _Atomic uint64_t sessions; /* with a TLS handshake, ended */
    struct reports_tag *tags;  /* "other" is the last */
    size_t tag_count;
};

/* `deep_status`: the service's. False where memory is short; reports_free is right either way. */
bool reports_init(struct reports *reports, const char *deep_status);
void reports_free(struct reports *reports);

/* A session has ended. A tag counts once for each kind, however often the client has named it. */
void reports_count(struct reports *reports, const struct engine *engine);

/* A line for the service, and one for each tag that has been reported. From the main thread. */
void reports_log(const struct reports *reports, const char *service, struct log *log);

#endif
