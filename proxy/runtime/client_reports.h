/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_CLIENT_REPORTS_H
#define DEEPPROXY_PROXY_RUNTIME_CLIENT_REPORTS_H

#include "base/refcount.h"
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
enum client_report_kind {
    CLIENT_REPORTS_LATCH,
    CLIENT_REPORTS_LATCH_FAIL,
    CLIENT_REPORTS_SECURITY_TAGS,
    CLIENT_REPORTS_KINDS
};

/* The registered ones, those of a status of one-letter tags, "other", and room for what later statuses add. */
enum { CLIENT_REPORTS_TAGS_MAX = 2 * (DEEP_REGISTERED_TAGS + (DEEP_STATUS_MAX + 1) / 2 + 1) };

/* As the log calls it, static. */
const char *client_report_kind_name(enum client_report_kind kind);

struct client_reports_tag {
    char *name;
    _Atomic uint64_t counts[CLIENT_REPORTS_KINDS];
};

struct client_reports {
    struct refcount references;
    _Atomic uint64_t sessions; /* with a TLS handshake, ended */
    _Atomic size_t tag_count;
    struct client_reports_tag tags[CLIENT_REPORTS_TAGS_MAX]; /* "other" is the first */
};

/* `deep_status`: the service's. NULL where memory is short. One reference is the caller's. */
struct client_reports *client_reports_new(const char *deep_status);
struct client_reports *client_reports_ref(struct client_reports *reports);
void client_reports_unref(struct client_reports **reports);

/*
 * The service has another status from now on: its tags are counted too, and those before still are. From one thread at a
 * time, while others count. False where memory is short.
 */
bool client_reports_add_status(struct client_reports *reports, const char *deep_status);

/* A session has ended. A tag counts once for each kind, however often the client has named it. */
void client_reports_count(struct client_reports *reports, const struct engine *engine);

/* A line for the service, and one for each tag that has been reported. From the main thread. */
void client_reports_log(const struct client_reports *reports, const char *service, struct log *log);

#endif
