/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_PAGE_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_PAGE_H

#include "proxy/admin/metrics.h"

#include <microhttpd.h>

/*
 * What the admin endpoint answers to a request: a table of paths, each with its function. To add a path: a
 * row in admin_page.c. Everything is read-only, and GET and HEAD are the only methods.
 */

/* The state of the program, as one request sees it. */
struct admin_state {
    struct metrics_state metrics;
    bool is_healthy;
    char hung[64]; /* the workers that hang: words; empty if there is none */
    bool is_ready;
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

/*
 * Queues the answer to a request; its body is ignored. MHD_NO if memory is short: libmicrohttpd then closes
 * the connection.
 */
enum MHD_Result admin_page_answer(struct admin_pages *pages, struct MHD_Connection *connection,
                                  const char *method, const char *path);

#endif
