/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_ADMIN_ADMIN_ROUTE_H
#define DEEPPROXY_PROXY_ADMIN_ADMIN_ROUTE_H

#include "proxy/admin/admin_page.h"

/*
 * Who answers a request: one table of methods and paths, from which 404 and 405 are made as well. To add a
 * path: a row in admin_route.c. A path of control is there on the socket alone; on TCP nothing shows it.
 */

/* A request on its way to its answer. */
struct admin_call {
    struct admin_pages *pages;
    const struct admin_request *request;
    bool is_local;     /* it came by the socket */
    bool is_permitted; /* admin_socket_permits */
    uid_t uid;
    uint64_t visit; /* by which it is answered later */
    struct http_answer answer;
    bool is_later;   /* the answer follows: by `ticket` if that is not 0, or by admin_answer_... */
    uint64_t ticket; /* for a page of metrics (admin_page_go_on) */
};

/* Makes the answer, or has it made: either call->answer is there or call->is_later is set. */
void admin_route(struct admin_call *call);

#endif
