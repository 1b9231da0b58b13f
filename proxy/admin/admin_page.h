/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_PAGE_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_PAGE_H

#include "proxy/admin/metrics.h"
#include "proxy/admin/visit.h"

/*
 * What the admin endpoint answers to a request: a table of paths, each with its function. To add a path: a
 * row in admin_page.c. Everything is read-only, and GET and HEAD are the only methods.
 */

enum { ADMIN_WHY_MAX = 128 /* octets of a reason, with its NUL */ };

/* The state of the program, as one request sees it. */
struct admin_state {
    struct metrics_state metrics;
    /* Why the program can't go on without a restart, and why it serves no new sessions. Empty: it does. */
    char unhealthy[ADMIN_WHY_MAX];
    char unready[ADMIN_WHY_MAX];
};

/* Describes the program. */
struct admin_source {
    void (*describe)(void *arg, struct admin_state *into);
    void *arg;
};

/* What is kept between requests. All zero but for the source at first. */
struct admin_pages {
    struct admin_source source;
    struct metrics_certificates *certificates; /* NULL: to be written at the next request */
};

/* Makes the answer to a request, whose body is ignored. */
void admin_page_answer(struct admin_pages *pages, const struct admin_request *request,
                       struct http_answer *answer);

#endif
