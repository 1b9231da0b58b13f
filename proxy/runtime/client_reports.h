/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_RUNTIME_CLIENT_REPORTS_H
#define DEEPPROXY_PROXY_RUNTIME_CLIENT_REPORTS_H

#include "base/refcount.h"
#include "protocols/deep/deep_status.h"
#include "protocols/engine.h"
#include "proxy/common/log.h"

#include <stdatomic.h>

/*
 * Counts how many sessions of a service have reported which security tag, and in which way (draft section 7:
 * "to determine which and how many clients have latched"). The tags are the registered ones, those that the
 * service advertises, and "other" for all others, so that clients which make tags up can't make this grow.
 * Sessions count when they end, from any thread and without a lock. Counted by reference, and shared by the
 * snapshots that have a service of the same name.
 */

/* In which way a client reports a tag. */
enum client_report_kind {
    CLIENT_REPORTS_LATCH,
    CLIENT_REPORTS_LATCH_FAIL,
    CLIENT_REPORTS_SECURITY_TAGS,
    CLIENT_REPORTS_KINDS
};

/*
 * "other", the registered tags, those of a status of one-letter tags, and as many again for statuses of later
 * reloads.
 */
enum { CLIENT_REPORTS_TAGS_MAX = 2 * (DEEP_REGISTERED_TAGS + (DEEP_STATUS_MAX + 1) / 2 + 1) };

/* The name of its field in the log, and of its label in the metrics; static. */
const char *client_report_kind_name(enum client_report_kind kind);

struct client_reports_tag {
    char *name;
    _Atomic uint64_t counts[CLIENT_REPORTS_KINDS];
};

struct client_reports {
    struct refcount references;
    _Atomic uint64_t sessions; /* with a TLS handshake, and ended */
    _Atomic size_t tag_count;
    struct client_reports_tag tags[CLIENT_REPORTS_TAGS_MAX]; /* "other" is the first */
};

/* `deep_status` is the service's. NULL if memory is short. One reference is the caller's. */
struct client_reports *client_reports_new(const char *deep_status);

/* Adds a reference, and returns its argument. */
struct client_reports *client_reports_ref(struct client_reports *reports);

/* Drops a reference, and nulls the pointer, which may be NULL already. */
void client_reports_unref(struct client_reports **reports);

/*
 * Counts the tags of a further status too, as a reload may bring one. Call it in one thread at a time; others
 * may count meanwhile. False if memory is short.
 */
bool client_reports_add_status(struct client_reports *reports, const char *deep_status);

/* Call when a session ends. A tag counts once for each kind, however often the client has named it. */
void client_reports_count(struct client_reports *reports, const struct engine *engine);

/*
 * Logs event=reports: a line for the service, and one for each tag that was reported. From the main thread.
 */
void client_reports_log(const struct client_reports *reports, const char *service, struct log *log);

#endif
