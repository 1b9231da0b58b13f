/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DEEPPROXY_PROXY_CONTROL_TICKET_LOOK_H
#define DEEPPROXY_PROXY_CONTROL_TICKET_LOOK_H

#include "proxy/common/log.h"
#include "proxy/control/pool_job.h"
#include "proxy/runtime/snapshot.h"

/*
 * Looks at the ticket keys of the configuration in effect: at keys of its own at once, at a file in a thread
 * of libuv's pool, one look at a time. The main thread calls these functions.
 */
struct ticket_look {
    struct pool_job job;
    struct log *log;
    struct snapshot *const *in_effect; /* the owner's */
    struct snapshot *asked;            /* whose file is looked at; NULL: no look is under way */
    struct tickets_file file;
};

/*
 * `ended` is sent after each look at a file. It, the loop, the log and *in_effect live longer, and `look` does
 * not move.
 */
void ticket_look_init(struct ticket_look *look, uv_loop_t *loop, uv_async_t *ended,
                      struct snapshot *const *in_effect, struct log *log);

/* Does what tickets_look does, now or soon. */
void ticket_look_request(struct ticket_look *look);

/* Is a file being looked at? */
bool ticket_look_is_busy(const struct ticket_look *look);

#endif
