/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_PAGE_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_PAGE_H

#include "proxy/admin/metrics.h"

#include <microhttpd.h>

/* What the admin endpoint answers to a request. */
struct admin_state {
    struct metrics_state metrics;
    bool is_healthy;
    bool is_ready;
};

struct admin_source {
    void (*look)(void *arg, struct admin_state *into);
    void *arg;
};

/* Between requests. All zero at first. */
struct admin_pages {
    struct admin_source source;
    struct metrics_certificates *certificates; /* NULL: to be written when they are asked for */
};

/* Queues the answer to a request, whose body nobody reads. MHD_NO where memory is short: the connection ends. */
enum MHD_Result admin_page_answer(struct admin_pages *pages, struct MHD_Connection *connection,
                                  const char *method, const char *path);

#endif
